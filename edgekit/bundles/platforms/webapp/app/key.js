// The public key of who must have signed this app's bundle; none was given when it was made.
self.KEY = null;
