// What the program's exit status means to a shell or a scheduler.
#pragma once

namespace edt {

enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,      // struck during the run
  kWrongUsage = 2,  // wrong option, configuration or input; nothing was started
  kStopped = 3,     // stopped on request after saving: requeue to go on
};

}  // namespace edt
