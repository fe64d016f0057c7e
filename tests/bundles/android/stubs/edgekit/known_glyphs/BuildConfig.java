package edgekit.known_glyphs;

public final class BuildConfig {
  public static final String BUNDLE_KEY = "";
}
