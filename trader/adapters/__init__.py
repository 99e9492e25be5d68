"""The outside world, one folder for each thing. Wraps its errors into ours; decides nothing."""
