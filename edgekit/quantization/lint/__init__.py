"""What in a float graph will cost accuracy or speed in 8 bits, said before anything is calibrated.

Each rule looks at the frozen graph, and some at what it computes for a few samples. Every finding
names operators, a figure, why it matters where, and a rewrite. Changes nothing.
"""
