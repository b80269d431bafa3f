// Runs the code of a training step without computing or sending anything: what it allocates, and
// the trace of what it does. So memory and schedule of a plan are those of the program itself, for
// every model, type, recompute mode, stage and mesh.
#pragma once

#include "model/plan/trace.h"
#include "model/recipe/training.h"

namespace edt {

// A step on a mesh of data_ranks x tensor_ranks; engine.batch is over all of them.
struct PlannedStep : TrainingRecipe {
  int data_ranks = 1, tensor_ranks = 1;
  std::size_t sample_bytes = 0;      // of each rank, beside the step: what sample grids take
  std::size_t evaluation_bytes = 0;  // and what judging the model takes

  int ranks() const { return data_ranks * tensor_ranks; }
  std::int64_t micro_batches() const { return engine.batch / engine.micro_batch; }
  std::int64_t own_micro_batches() const { return micro_batches() / data_ranks; }
};

struct DryRun {
  Trace trace;                    // of one step in the steady state, on the rank with most to keep
  std::vector<MemoryUse> memory;  // of that rank, by category
  std::size_t memory_bytes = 0;   // their sum
  double model_flops = 0, recompute_flops = 0;  // of this rank's step
  std::int64_t parameters = 0;                  // of this tensor rank, without padding
};

// Throws what the step itself would throw.
DryRun dry_run(const PlannedStep& step);

// The memory of dry_run() alone, in a time that does not grow with the number of micro-batches.
struct DryMemory {
  std::vector<MemoryUse> uses;
  std::size_t bytes = 0;        // their sum
  std::int64_t parameters = 0;  // as in DryRun
};
DryMemory dry_run_of_memory(const PlannedStep& step);

}  // namespace edt
