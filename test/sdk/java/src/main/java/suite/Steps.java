package suite;

import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityMethod;

/** The activities of the suite. */
@ActivityInterface
public interface Steps {
  @ActivityMethod(name = "echo")
  String echo(String s);

  /** Fails until it was tried `times` times; answers that. */
  @ActivityMethod(name = "flaky")
  Integer flaky(Integer times);

  /** Falls silent on its first attempt; the second goes on from what the first reported. */
  @ActivityMethod(name = "beats")
  int beats();

  /** Completed by somebody else. */
  @ActivityMethod(name = "pending")
  String pending();

  @ActivityMethod(name = "fatal")
  void fatal();

  @ActivityMethod(name = "untilCanceled")
  void untilCanceled();
}
