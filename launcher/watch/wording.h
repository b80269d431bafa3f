// How times, steps and states are put into words, the same in the terminal and on the page.
#pragma once

#include <cstdint>
#include <string>

#include "launcher/watch/canvas.h"
#include "launcher/watch/run_view.h"

namespace edt {

std::string thousands(std::int64_t number);  // "1,234,567"
std::string clock_text(double time);         // "14:10:05", local
// "14:10" on the same day, "Thu 26 Nov 14:10" else, local.
std::string date_text(double time, double now);
std::string ago_text(double time, double now);  // "3 min ago"
std::string percent(double share);              // "3.1 %"
// Three or four significant digits; "-" for what is not finite.
std::string value_text(double value);
// So, the mean of that value over the last steps.
std::string mean_text(const RunView& run, double MetricsRecord::*value);

// Of the last losses of held-out samples and of others, how far the first is above; NaN: none.
// Of what trains beside in any of the runs, by name.
std::vector<std::string> beside_terms(const RunViews& runs);
// "loss of align latent"
std::string beside_title(const std::string& term);
double held_out_gap(const MetricsHistory& metrics);
// "0.1234, of samples that are trained on 0.1201: 2.7 % apart"; empty: none.
std::string held_out_text(const RunView& run);
// "12.3, precision 0.71, recall 0.52"; empty: none.
std::string judged_text(const RunView& run, double MetricsRecord::*distance);

// "EDT-S/2, bf16, batch 256"; empty while nothing is known.
std::string recipe_text(const RunView& run);
// "running", "running, first step to come", "no step for 12 min", "finished".
std::string state_text(const RunView& run);
// Host and process, or how the run ended.
std::string state_detail(const RunView& run);
Ink state_ink(const RunView& run);
// "820 ms a step · 3 d 4 h left, done about Thu 26 Nov 14:10".
std::string end_text(const RunView& run);
// "14:10" with day; "-" where unknown or over.
std::string expected_end(const RunView& run);
// "0.95 of the ceiling of 312 GFLOP/s"; empty where neither is known.
std::string ceiling_text(const RunView& run);
// "3 spikes, 1 skipped, 2 restarts"; empty: none.
std::string events_text(const RunView& run);
// "2026-11-23T07:57:14.322" shortened to "23 Nov 07:57:14".
std::string log_time_text(const std::string& time);

}  // namespace edt
