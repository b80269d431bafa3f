// In which steps of a sampler branches are computed, and how they are foretold in the others:
// functions of the step's place alone, so that no picture depends on its batch.
#pragma once

#include <string>
#include <vector>

namespace edt {

enum class CacheKind {
  kNone,
  kFora,   // taken as they were (Selvaraju et al., arXiv 2407.01425)
  kTaylor  // foretold from their differences (Liu et al., arXiv 2503.06923)
};

struct CacheConfig {
  CacheKind kind = CacheKind::kNone;
  int interval = 3;                   // every how many steps all is computed; 1: always
  int order = 1;                      // of kTaylor: differences that are kept; 0: none
  int warmup = 2;                     // of kTaylor: first steps in which all is computed
  bool attention = true, mlp = true;  // which branches of a block
  bool lite = false;                  // instead of branches the output of all blocks

  bool operator==(const CacheConfig&) const = default;

  bool is_on() const { return kind != CacheKind::kNone && interval > 1; }
  // Tensors kept for each branch.
  int kept() const { return kind == CacheKind::kTaylor ? order + 1 : 1; }
  // "attention", "mlp", or "body" of the lite form.
  std::vector<std::string> parts() const;
  // UsageError for numbers that make no cache.
  void validate() const;
};

// Decides for one step after the other. FORA: the first, and those whose number counted from the
// last is a multiple of the interval, the last among them. Taylor: the warm-up, then every
// interval-th after one in which all was computed.
class CacheSchedule {
 public:
  CacheSchedule(const CacheConfig& config, int steps) : config_(config), left_(steps) {}

  // Whether all is computed in the next step. `forced`: whatever the rule says.
  bool next(bool forced = false);

 private:
  CacheConfig config_;
  int left_, done_ = 0, since_ = 0;  // since the last one in which all was computed
};

// c_k by which the differences F_k, k = 0, 1, ..., foretell `ahead` steps later: (-ahead)^k / k!
// with differences over steps counted down, as published.
std::vector<double> taylor_coefficients(int kept, int ahead);

}  // namespace edt
