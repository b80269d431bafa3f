// The metrics of the last step as a text file for Prometheus (node_exporter's textfile collector).
#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace edt {

// One gauge per number of a record of metrics.jsonl: edt_loss{run="runs/s2"} 0.31; numbers inside
// an object get its key as a label: edt_time_share{run="...",part="data"} 0.02.
std::string prometheus_text(const std::string& run, const nlohmann::ordered_json& record);

class PrometheusFile {
 public:
  PrometheusFile(std::filesystem::path file, std::string run)
      : file_(std::move(file)), run_(std::move(run)) {}

  ~PrometheusFile() { flush(); }
  PrometheusFile(const PrometheusFile&) = delete;
  PrometheusFile& operator=(const PrometheusFile&) = delete;

  // Replaces the file, at most every few seconds, as collectors look no more often, and at the end.
  // Where it cannot be written a line says so, once, and training goes on.
  void write(const nlohmann::ordered_json& record);

 private:
  void flush();

  std::string pending_;  // what the file lacks
  bool failed_ = false;
  std::filesystem::path file_;
  std::string run_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace edt
