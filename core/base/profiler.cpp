#include "core/base/profiler.h"

#include "core/base/clock.h"
#include "core/base/span.h"

namespace edt {

Profiler::Scope::Scope(Profiler& profiler, std::string_view name, double flops)
    : profiler_(profiler), index_(profiler.index_of(name)), begin_(Clock::now()) {
  Entry& entry = profiler_.entries_[index_];
  ++entry.calls;
  (profiler_.recomputing_ ? entry.recompute_flops : entry.flops) += flops;
  if (spans_are_heard()) {
    begin_span({.kind = SpanKind::kCompute,
                .name = name,
                .label = profiler_.recomputing_ ? "again" : "",
                .flops = flops,
                .shape = span_shape()});
  }
}

Profiler::Scope::~Scope() {
  if (spans_are_heard()) end_span(SpanKind::kCompute);
  profiler_.entries_[index_].seconds += seconds_since(begin_);
}

void Profiler::count(std::string_view name, double flops, double recompute_flops) {
  Entry& entry = entries_[index_of(name)];
  entry.flops += flops;
  entry.recompute_flops += recompute_flops;
}

std::size_t Profiler::index_of(std::string_view name) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].name == name) return i;
  }
  entries_.push_back({.name = name});
  return entries_.size() - 1;
}

double Profiler::total_flops() const {
  double sum = 0;
  for (const Entry& entry : entries_) sum += entry.flops;
  return sum;
}

double Profiler::total_recompute_flops() const {
  double sum = 0;
  for (const Entry& entry : entries_) sum += entry.recompute_flops;
  return sum;
}

void Profiler::reset() {
  for (Entry& entry : entries_) entry = {.name = entry.name};
}

}  // namespace edt
