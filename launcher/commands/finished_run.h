// Whether a start of `edt train` has anything left to do, before anything is opened for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "launcher/recipe/train_config.h"
#include "parallel/comm/communicator.h"

namespace edt {

// The step that the run has reached, where it is the last one that is asked for, or beyond it, and
// the run is over: nothing has to be done. Reads only. All ranks call it. `configuration`: of this
// start, as text; UsageError with both values where the run was another one.
std::optional<std::int64_t> step_of_finished_run(const TrainConfig& config,
                                                 const std::string& configuration,
                                                 Communicator& world);

}  // namespace edt
