// What `edt tune` found, for people and for scripts.
#pragma once

#include <string>
#include <vector>

#include "launcher/bench/gemm_tuning.h"
#include "launcher/device/gemm_file.h"

namespace edt {

struct TuneReport {
  const TunedSteps& steps;
  const GemmTuning& tuning;
  const GemmFile& file;  // as it is now
  const StepCalls& calls;

  std::string text() const;
  std::string json() const;

 private:
  // One product of the steps.
  struct Line {
    GemmKey key;
    TunedGemm tuned;
    bool is_new = false;
    std::int64_t training = 0, sampling = 0;  // calls of one step

    double seconds() const;  // of these calls, by the first suggestion
    double gain() const { return 1 - tuned.call_seconds() / tuned.first_call_seconds(); }
    double flops_per_second() const;
  };
  // Those that take the most time first.
  std::vector<Line> lines() const;
  std::string attention_text() const;
};

}  // namespace edt
