// Small steps to plan and to take.
#pragma once

#include "model/plan/dry_run.h"
#include "tests/support/tiny_models.h"

namespace edt::test {

inline PlannedStep small_step(int data_ranks = 1, int tensor_ranks = 1,
                              ZeroStage stage = ZeroStage::kNone, std::int64_t micro_batches = 2) {
  PlannedStep step{{tiny_edt(32)}};
  step.data_ranks = data_ranks;
  step.tensor_ranks = tensor_ranks;
  step.engine.micro_batch = 2;
  step.engine.batch = 2 * micro_batches * data_ranks;
  step.engine.zero.stage = stage;
  return step;
}

}  // namespace edt::test
