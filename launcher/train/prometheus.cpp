#include "launcher/train/prometheus.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/durable_file.h"

namespace edt {
namespace {

std::string escaped(const std::string& label) {
  std::string out;
  for (const char c : label) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string prometheus_text(const std::string& run, const nlohmann::ordered_json& record) {
  std::string text;
  const std::string label = fmt::format("run=\"{}\"", escaped(run));
  for (const auto& [name, value] : record.items()) {
    if (!value.is_number() && !value.is_object()) continue;
    text += fmt::format("# TYPE edt_{} gauge\n", name);
    if (value.is_number()) {
      text += fmt::format("edt_{}{{{}}} {}\n", name, label, value.get<double>());
      continue;
    }
    for (const auto& [part, number] : value.items()) {
      text += fmt::format("edt_{}{{{},part=\"{}\"}} {}\n", name, label, escaped(part),
                          number.get<double>());
    }
  }
  return text;
}

void PrometheusFile::write(const nlohmann::ordered_json& record) {
  constexpr std::chrono::seconds kInterval{5};
  const auto now = std::chrono::steady_clock::now();
  pending_ = prometheus_text(run_, record);
  if (now < next_) return;
  next_ = now + kInterval;
  flush();
}

void PrometheusFile::flush() {
  if (pending_.empty()) return;
  try {
    write_text_atomically(file_, pending_);
  } catch (const Error& error) {
    if (!failed_) log::warning("{}; training goes on without it", error.what());
    failed_ = true;
  }
  pending_.clear();
}

}  // namespace edt
