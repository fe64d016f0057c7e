"""Where the ops of a file run on a device: what its delegate leaves to others, and what that costs.

`placed` puts what a device says of its ops together with the graph of the file, `causes` knows why
delegates leave ops out and what would change it. Asks no device.
"""
