// Small steps to plan and to take.
#pragma once

#include "model/plan/dry_run.h"

namespace edt::test {

inline EdtConfig small_model() {
  EdtConfig config;
  config.name = "small";
  config.input_size = 16;
  config.classes = 4;
  config.depths = {2, 1, 1, 1, 1};
  config.widths = {32, 48, 64, 48, 32};
  config.heads = {2, 2, 4, 2, 2};
  config.mid_mask = true;
  config.mid_mask_block = 1;
  return config;
}

inline PlannedStep small_step(int data_ranks = 1, int tensor_ranks = 1,
                              ZeroStage stage = ZeroStage::kNone, std::int64_t micro_batches = 2) {
  PlannedStep step{small_model()};
  step.data_ranks = data_ranks;
  step.tensor_ranks = tensor_ranks;
  step.engine.micro_batch = 2;
  step.engine.batch = 2 * micro_batches * data_ranks;
  step.engine.zero.stage = stage;
  return step;
}

}  // namespace edt::test
