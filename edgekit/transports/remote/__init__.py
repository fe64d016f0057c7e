"""Another machine, whatever the way there: the agent, the model and the samples go to it by digest.

A job belongs to a process there that outlives a connection: when that is lost, a new one asks
again, and nothing that was finished is done twice. `ssh` and `adb` are ways there (`way.Link`).
"""
