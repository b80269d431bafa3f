// Outputs of branches kept from step to step of a sampler: FORA, TaylorSeer and its lite form. They
// serve one batch of pictures.
#pragma once

#include <algorithm>
#include <compare>
#include <map>
#include <vector>

#include "core/ops/backend.h"
#include "model/diffusion/denoiser.h"
#include "model/hooks.h"
#include "model/sampling/cache_plan.h"

namespace edt {

// What a cache has done for one batch of pictures. A row is a picture that the network is asked
// about, once.
struct CacheUse {
  int steps = 0, whole_steps = 0;  // of them, those in which everything was computed
  std::int64_t rows = 0, whole_rows = 0;
};

class BranchCache final : public BranchReuse {
 public:
  BranchCache(const CacheConfig& config, Backend& backend);

  const CacheConfig& config() const { return config_; }

  // A new batch of pictures.
  void begin(int steps);
  // Before the network is asked, about so many rows. Where they are others than the last time
  // everything is computed: of rows that come, as guidance does, nothing is kept. No rows: in this
  // step it is not asked. The second evaluation of a step has values of its own.
  void begin_evaluation(const Evaluation& at, std::int64_t rows);

  bool computes(const BranchSite& site) const override;
  Var recall(Tape& tape, const BranchSite& site) override;
  void keep(Tape& tape, const BranchSite& site, const Var& value) override;

  const CacheUse& use() const { return use_; }
  // The most that it has held.
  std::size_t peak_bytes() const { return std::max(peak_bytes_, bytes()); }

 private:
  struct Place {
    bool second;  // of the evaluations of a step
    std::int64_t block;
    Branch branch;
    auto operator<=>(const Place&) const = default;
  };
  // Of one branch: differences F_0, F_1, ..., the value itself first.
  struct Kept {
    std::vector<Block> memory;
    std::vector<Tensor> factors;
    int count = 0;  // of them that are there
  };

  std::size_t bytes() const;  // that it holds now
  void begin_step(std::int64_t rows);
  void forget();
  // Factors of the sums that this evaluation is going to make, the same for all branches.
  void load_factors();
  bool is_cached(Branch branch) const;
  Place place_of(const BranchSite& site) const { return {second_, site.block, site.branch}; }
  Kept& kept_for(const BranchSite& site, const Tensor& like);
  // out = a of_a + b of_b with the k-th pair of factors; all float32 and of one shape.
  void blend(const Tensor& a, const Tensor& b, int k, const Tensor& out);

  CacheConfig config_;
  Backend& backend_;
  CacheSchedule schedule_;
  int step_ = 0, last_whole_ = 0, whole_before_ = 0;  // steps; before the last one
  bool is_whole_ = true, second_ = false;
  std::int64_t rows_ = 0;
  CacheUse use_;
  std::size_t peak_bytes_ = 0;
  std::map<Place, Kept> kept_;
  Block factors_;                    // [order, rows, 2]
  std::vector<float> host_factors_;  // the same
};

}  // namespace edt
