#include "model/sampling/branch_cache.h"

namespace edt {

BranchCache::BranchCache(const CacheConfig& config, Backend& backend)
    : config_(config), backend_(backend), schedule_(config, 0) {
  config.validate();
}

void BranchCache::begin(int steps) {
  schedule_ = CacheSchedule(config_, steps);
  step_ = -1;
  last_whole_ = 0;
  use_ = {};
  for (auto& [place, kept] : kept_) kept.count = 0;
}

void BranchCache::begin_evaluation(const Evaluation& at, std::int64_t rows) {
  second_ = at.t != at.step_t;
  if (!second_) begin_step(rows);
  use_.rows += rows;
  if (is_whole_) use_.whole_rows += rows;
  if (rows > 0) load_factors();
}

void BranchCache::begin_step(std::int64_t rows) {
  ++step_;
  ++use_.steps;
  const bool others = rows != rows_;
  if (others) forget();
  rows_ = rows;
  is_whole_ = schedule_.next(others);
  if (!is_whole_) return;
  ++use_.whole_steps;
  whole_before_ = last_whole_;
  last_whole_ = step_;
}

void BranchCache::forget() {
  peak_bytes_ = peak_bytes();
  kept_.clear();
}

// A step that computes: (F - old F) / difference of the two steps, counted down. One that does not:
// sum + F c_k.
void BranchCache::load_factors() {
  const int order = config_.kept() - 1;
  if (order == 0) return;
  const double gap = static_cast<double>(whole_before_ - last_whole_);
  const auto foretell = taylor_coefficients(order + 1, step_ - last_whole_);
  host_factors_.clear();
  for (int k = 1; k <= order; ++k) {
    const double of_a = !is_whole_ ? 1 : gap == 0 ? 0 : 1 / gap;
    const double of_b = is_whole_ ? -of_a : foretell[static_cast<std::size_t>(k)];
    for (std::int64_t row = 0; row < rows_; ++row) {
      host_factors_.push_back(static_cast<float>(of_a));
      host_factors_.push_back(static_cast<float>(of_b));
    }
  }
  const Shape shape{order, rows_, 2};
  const std::size_t bytes = Tensor{nullptr, shape, DType::kFloat32}.bytes();
  if (factors_.bytes() != bytes) factors_ = Block(backend_.memory(), bytes);
  backend_.upload(host_factors_.data(), {factors_.data(), shape, DType::kFloat32});
}

// The kernel that adds noise to pictures, by row.
void BranchCache::blend(const Tensor& a, const Tensor& b, int k, const Tensor& out) {
  const Tensor all{factors_.data(), {config_.kept() - 1, rows_, 2}, DType::kFloat32};
  backend_.add_noise(a, b, all.slice(k, k + 1).reshaped({rows_, 2}), out);
}

bool BranchCache::is_cached(Branch branch) const {
  if (config_.lite) return branch == Branch::kBody;
  return branch == Branch::kAttention ? config_.attention : branch == Branch::kMlp && config_.mlp;
}

bool BranchCache::computes(const BranchSite& site) const {
  return is_whole_ || !is_cached(site.branch);
}

// Without differences a copy in the type of activations, which has the bits of the value;
// differences are float32, as those of bf16 would cancel.
BranchCache::Kept& BranchCache::kept_for(const BranchSite& site, const Tensor& like) {
  Kept& kept = kept_[place_of(site)];
  const DType dtype = config_.kept() > 1 ? DType::kFloat32 : like.dtype;
  for (int k = static_cast<int>(kept.factors.size()); k < config_.kept(); ++k) {
    Tensor factor{nullptr, like.shape, dtype};
    factor.data = kept.memory.emplace_back(backend_.memory(), factor.bytes()).data();
    kept.factors.push_back(factor);
  }
  return kept;
}

// new F_0 = value; new F_{k+1} = (new F_k - old F_k) / (difference of their steps), as long as old
// F_k is there.
void BranchCache::keep(Tape& tape, const BranchSite& site, const Var& value) {
  if (!is_cached(site.branch)) return;
  Kept& kept = kept_for(site, value.tensor());
  kept.count = std::min(kept.count + 1, config_.kept());
  if (kept.count == 1) return backend_.copy(value.tensor(), kept.factors[0]);
  Var now = tape.make(value.shape(), DType::kFloat32);
  backend_.copy(value.tensor(), now.tensor());
  for (int k = 0; k < kept.count; ++k) {
    const Tensor& factor = kept.factors[static_cast<std::size_t>(k)];
    if (k + 1 == kept.count) {
      backend_.copy(now.tensor(), factor);
      break;
    }
    const Var difference = tape.make(value.shape(), DType::kFloat32);
    blend(now.tensor(), factor, k, difference.tensor());
    backend_.copy(now.tensor(), factor);
    now = difference;
  }
}

Var BranchCache::recall(Tape& tape, const BranchSite& site) {
  const Kept& kept = kept_.at(place_of(site));
  EDT_ASSERT(kept.count > 0);
  const Tensor& first = kept.factors[0];
  Var value = tape.make(first.shape, tape.dtype());
  if (kept.count == 1) {
    backend_.copy(first, value.tensor());
    return value;
  }
  const Var sum = tape.make(first.shape, DType::kFloat32);
  for (int k = 1; k < kept.count; ++k) {
    const Tensor& before = k == 1 ? first : sum.tensor();
    blend(before, kept.factors[static_cast<std::size_t>(k)], k - 1, sum.tensor());
  }
  backend_.copy(sum.tensor(), value.tensor());
  return value;
}

std::size_t BranchCache::bytes() const {
  std::size_t sum = factors_.bytes();
  for (const auto& [place, kept] : kept_) {
    for (const Block& block : kept.memory) sum += block.bytes();
  }
  return sum;
}

}  // namespace edt
