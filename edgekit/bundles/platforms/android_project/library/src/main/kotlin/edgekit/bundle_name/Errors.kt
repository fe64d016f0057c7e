package edgekit.bundle_name

/** What went wrong, in one line. */
open class ModelException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** A bundle in which something was changed, added or left out, or that somebody else signed. */
class RefusedException(message: String, cause: Throwable? = null) : ModelException(message, cause)
