// What the program's exit status means to a shell or a scheduler.
#pragma once

namespace edt {

enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,      // struck during the run
  kWrongUsage = 2,  // wrong option, configuration or input; nothing was started
  kStopped = 3,     // stopped on request after saving: requeue to go on
  kHeld = 4,        // stopped for good by the file `stop` in the run directory, after saving
  kBrokenOff = 5,   // a rank was lost or stalled: requeue to go on from the newest checkpoint
};

}  // namespace edt
