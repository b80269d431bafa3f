// How far the clocks of the ranks are apart.
#pragma once

#include <cstdint>

#include "parallel/comm/communicator.h"

namespace edt {

struct ClockOffset {
  double nanoseconds = 0;   // this rank's steady clock minus the first rank's
  double accuracy = 0;      // the truth is within so many nanoseconds of it
  std::int64_t origin = 0;  // of the first rank's clock when all had been compared; the same on all
};

// Messages to and fro between the first rank and each other: of the fastest round, the other's time
// belongs to the middle, and half the round is the accuracy (Cristian, "Probabilistic clock
// synchronization", 1989). All ranks call it.
ClockOffset compare_clocks(Communicator& ranks);

}  // namespace edt
