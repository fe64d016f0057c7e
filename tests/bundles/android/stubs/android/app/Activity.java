package android.app;

import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;

public abstract class Activity extends Context {
  public static final int RESULT_OK = -1;

  @Override
  public native android.content.res.AssetManager getAssets();

  @Override
  public native android.content.res.Resources getResources();

  @Override
  public native android.content.ContentResolver getContentResolver();

  protected native void onCreate(Bundle state);

  protected native void onDestroy();

  protected native void onActivityResult(int request, int status, Intent data);

  public native void setContentView(View view);

  public native void startActivityForResult(Intent intent, int request);

  public final native void runOnUiThread(Runnable action);
}
