// FFN reuse, the half of EXION (Heo et al., arXiv 2501.05680) that is not a chip: after a dense
// step only those hidden units of an MLP are computed anew whose activation was large in it, in
// each token by itself. Here they are all computed and then chosen: it is measured what a machine
// could spare that skips single elements, which matrix products of processors and GPUs do not.
#pragma once

#include <map>
#include <vector>

#include "core/ops/backend.h"
#include "model/diffusion/denoiser.h"
#include "model/hooks.h"
#include "model/sampling/cache_plan.h"

namespace edt {

struct FfnReuseConfig {
  int sparse_steps = 2;    // after each dense one
  double threshold = 0.2;  // of |gelu|: above it a unit is computed anew
};

// Of the MLP of one block.
struct FfnUse {
  double dense_units = 0, marked = 0;  // in dense steps, and of them those above the threshold
  double tiles = 0, marked_tiles = 0;  // of kTile tokens by kTile units; with a marked one in it
  double macs = 0, spared = 0;         // of all steps, and by leaving out what is not marked

  FfnUse& operator+=(const FfnUse& other);
};

class FfnReuse final : public HiddenReuse {
 public:
  // As the matrix units of processors and GPUs have them, the smallest ones.
  static constexpr std::int64_t kTile = 16;

  // UsageError where a number makes no sense.
  FfnReuse(const FfnReuseConfig& config, Backend& backend);

  // As BranchCache.
  void begin(int steps);
  void begin_evaluation(const Evaluation& at, std::int64_t rows);
  Var pass(Tape& tape, std::int64_t block, std::int64_t width, const Var& hidden) override;

  // By block, of all batches.
  const std::vector<FfnUse>& use() const { return use_; }

 private:
  struct Kept {
    std::vector<float> dense;  // hidden units of the last dense step
    double share = 0;          // of them above the threshold
  };

  void keep(const std::vector<float>& hidden, std::int64_t units, Kept& kept, FfnUse& use) const;
  bool is_marked(float activation) const;

  FfnReuseConfig config_;
  Backend& backend_;
  CacheSchedule schedule_;
  bool is_dense_ = true, second_ = false;
  std::int64_t rows_ = 0;
  std::map<std::pair<bool, std::int64_t>, Kept> kept_;  // by evaluation of a step, and block
  std::vector<FfnUse> use_;
};

}  // namespace edt
