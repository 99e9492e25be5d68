"""Version 1: the .proto files, and the code generated from them by `make protos`."""
