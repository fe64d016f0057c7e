"""A browser as a device: one page, a small server for it, and what both say to each other.

exchange    one step at a time goes to the page, one answer comes back; counts and claims
server      HTTP around an exchange: the page's files, steps, bodies, answers
files       which files may be served, and whether the page's runtimes are there
framing     an answer as bytes: JSON and raw tensors
answers     what a page says about itself and its model, checked
opened      a model that is loaded in a page
paging      jobs and sessions as steps of a page; the transports share it
chromium    the system's Chromium, started and ended
page/       what the browser gets: HTML, CSS and ES modules, no framework
runtimes/   LiteRT.js and onnxruntime-web; put there by `make web`, in no commit
"""
