// A run directory as `edt train` leaves it, written by hand.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "launcher/watch/run_view.h"
#include "tests/support/text_files.h"

namespace edt {

struct WrittenStep {
  std::int64_t step = 1;
  double loss = 0.5, seconds = 1, time = 1000;
  int generation = 1;
  std::string more;  // ,"spike":"..."
};

inline std::string metrics_line(const WrittenStep& s) {
  return fmt::format(
      "{{\"step\":{},\"loss\":{},\"masked_loss\":{},\"grad_norm\":0.25,\"lr\":0.001,\"epoch\":0.5,"
      "\"images_per_s\":{},\"flops_per_s\":2e12,\"ceiling_ratio\":0.8,\"step_seconds\":{},"
      "\"time_share\":{{\"data\":0.01,\"compute\":0.9,\"communication\":0.05,\"optimizer\":0.03,"
      "\"checkpoint\":0.0,\"other\":0.01}},\"hidden_communication\":0.1{},\"time\":{},"
      "\"generation\":{}}}\n",
      s.step, s.loss, s.loss * 1.1, 8 / s.seconds, s.seconds, s.more, s.time, s.generation);
}

// `steps` steps of a second each, the last one written at second 1000 + steps.
inline std::string metrics_text(std::int64_t steps, std::int64_t first = 1) {
  std::string text;
  for (std::int64_t i = first; i < first + steps; ++i) {
    text += metrics_line({.step = i,
                          .loss = 0.2 + 0.8 * std::exp(-static_cast<double>(i) / 50),
                          .time = 1000.0 + static_cast<double>(i)});
  }
  return text;
}

inline void write_run(const std::filesystem::path& run, const std::string& metrics,
                      int total_steps = 400) {
  test::write_text(
      run / "config.ini",
      fmt::format("[model]\npreset = EDT-S/2\n\n[train]\nsteps = {}\nbatch = 8\n\n[run]\n"
                  "dtype = float32\ndevice = cpu\n",
                  total_steps));
  test::write_text(run / "generation", "1\n");
  if (!metrics.empty()) test::write_text(run / "metrics.jsonl", metrics);
}

// One run, looked at 5 s after the last step of metrics_text(100).
inline RunViews seen(const std::vector<std::filesystem::path>& runs, double now = 1105) {
  RunViews views = open_runs(runs);
  for (auto& view : views) view->refresh(now);
  return views;
}

}  // namespace edt
