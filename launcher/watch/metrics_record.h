// One line of metrics.jsonl.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edt {

// Values that the line has not, or that were not finite when written, are NaN.
struct MetricsRecord {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  std::int64_t step = -1;
  double loss = kNone, masked_loss = kNone, grad_norm = kNone, lr = kNone;
  double epoch = kNone, images_per_s = kNone, flops_per_s = kNone, ceiling_ratio = kNone;
  double step_seconds = kNone;
  // Of samples that are not trained on, and of as many that are.
  double held_out_loss = kNone, held_out_trained_loss = kNone;
  // Of samples of the moving average against a reference.
  double fid = kNone, latent_frechet = kNone, precision = kNone, recall = kNone;
  double time = kNone;        // when it was written, seconds since 1970
  double generation = kNone;  // start of the run that wrote it
  std::vector<std::pair<std::string, double>> time_share;
  std::vector<std::pair<std::string, double>> beside;  // losses of what trains beside
  // What happened in that step: ("spike", "loss 5.2 is ...").
  std::vector<std::pair<std::string, std::string>> events;
};

class MetricsParser {
 public:
  MetricsParser();
  ~MetricsParser();

  // False for what is no JSON object with a step. Memory behind the line is as FollowedFile has it.
  bool parse(std::string_view line, MetricsRecord& record);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace edt
