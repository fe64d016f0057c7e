"""Small kernels through whatever library is installed, timed in child processes."""
