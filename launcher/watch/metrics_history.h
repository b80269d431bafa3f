// What metrics.jsonl has told so far: curves of the whole run, and the last steps one by one.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "launcher/watch/curve.h"
#include "launcher/watch/followed_file.h"
#include "launcher/watch/metrics_record.h"

namespace edt {

struct StepEvent {
  std::int64_t step = 0;
  std::string kind, text;
};

using NamedCurves = std::vector<std::pair<std::string, Curve>>;

class MetricsHistory {
 public:
  static constexpr std::size_t kRecent = 1000, kEvents = 200;

  explicit MetricsHistory(std::filesystem::path file) : file_(std::move(file)) {}

  // Reads what was appended; begins again when a resumed run has replaced the file. False when
  // nothing changed.
  bool refresh();

  bool empty() const { return seen_.recent.empty(); }
  // The newest last; at most kRecent.
  const std::deque<MetricsRecord>& recent() const { return seen_.recent; }
  const MetricsRecord& last() const { return seen_.recent.back(); }
  // Mean of the last `steps` steps that have the value; NaN where none has.
  double recent_mean(double MetricsRecord::*value, std::size_t steps = 100) const;
  // Of the last step that has the value; NaN where none has.
  double last_of(double MetricsRecord::*value) const;
  // Shares of the time of the last `steps` steps, in the order of the file.
  std::vector<std::pair<std::string, double>> recent_shares(std::size_t steps = 100) const;

  const Curve& curve(double MetricsRecord::*value) const;
  const NamedCurves& share_curves() const { return seen_.shares; }
  // Losses of what trains beside.
  const NamedCurves& beside_curves() const { return seen_.beside; }

  // The newest kEvents of them, and how many there were of each kind.
  const std::deque<StepEvent>& events() const { return seen_.events; }
  const std::map<std::string, std::int64_t>& event_counts() const { return seen_.event_counts; }
  // Steps that began a later start of the run.
  const std::vector<std::int64_t>& restarts() const { return seen_.restarts; }
  double trained_seconds() const { return seen_.trained_seconds; }
  std::int64_t steps() const { return seen_.steps; }
  // Lines in the middle of the file that are no records.
  std::int64_t bad_lines() const { return seen_.bad_lines; }

 private:
  struct Curves {
    double MetricsRecord::*value;
    Curve curve;
    bool is_sparse = false;  // steps between two values have none
  };
  struct Seen {
    std::array<Curves, 13> curves{{{&MetricsRecord::loss, Curve()},
                                   {&MetricsRecord::masked_loss, Curve()},
                                   {&MetricsRecord::held_out_loss, Curve(), true},
                                   {&MetricsRecord::held_out_trained_loss, Curve(), true},
                                   {&MetricsRecord::fid, Curve(), true},
                                   {&MetricsRecord::latent_frechet, Curve(), true},
                                   {&MetricsRecord::precision, Curve(), true},
                                   {&MetricsRecord::recall, Curve(), true},
                                   {&MetricsRecord::grad_norm, Curve()},
                                   {&MetricsRecord::lr, Curve()},
                                   {&MetricsRecord::images_per_s, Curve()},
                                   {&MetricsRecord::ceiling_ratio, Curve()},
                                   {&MetricsRecord::flops_per_s, Curve()}}};
    NamedCurves shares, beside;
    std::deque<MetricsRecord> recent;
    std::deque<StepEvent> events;
    std::map<std::string, std::int64_t> event_counts;
    std::vector<std::int64_t> restarts;
    double trained_seconds = 0, generation = MetricsRecord::kNone;
    std::int64_t steps = 0, bad_lines = 0;
  };

  void take(const MetricsRecord& record);
  void remember(const MetricsRecord& record);

  FollowedFile file_;
  MetricsParser parser_;
  MetricsRecord record_;
  Seen seen_;
};

}  // namespace edt
