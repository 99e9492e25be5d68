"""The outside world, one folder per thing. Adapters wrap its errors into ours, once, and decide nothing."""
