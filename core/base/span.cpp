#include "core/base/span.h"

#include <array>
#include <atomic>
#include <string>

#include "core/base/assert.h"

namespace edt {
namespace {

std::array<std::atomic<SpanListener*>, 2> listeners{};
std::atomic<int> listening{0};
thread_local const char* thread_name = "";
thread_local std::string shape_text;

template <class F>
void for_each_listener(F&& call) {
  for (auto& place : listeners) {
    if (SpanListener* listener = place.load(std::memory_order_acquire)) call(*listener);
  }
}

}  // namespace

void add_span_listener(SpanListener& listener) {
  for (auto& place : listeners) {
    SpanListener* empty = nullptr;
    if (!place.compare_exchange_strong(empty, &listener)) continue;
    ++listening;
    return;
  }
  EDT_ASSERT(!"a place for the listener");
}

void remove_span_listener(SpanListener& listener) {
  for (auto& place : listeners) {
    SpanListener* expected = &listener;
    if (place.compare_exchange_strong(expected, nullptr)) --listening;
  }
}

bool spans_are_heard() { return listening.load(std::memory_order_relaxed) > 0; }

void begin_span(const SpanInfo& span) {
  for_each_listener([&](SpanListener& listener) { listener.begin(span); });
}

void end_span(SpanKind kind) {
  for_each_listener([&](SpanListener& listener) { listener.end(kind); });
}

void mark_phase(std::string_view name) {
  if (!spans_are_heard()) return;
  for_each_listener([&](SpanListener& listener) { listener.phase(name); });
}

void mark_report() {
  for_each_listener([](SpanListener& listener) { listener.reported(); });
}

void set_span_shape(std::string_view shape) { shape_text.assign(shape); }
std::string_view span_shape() { return shape_text; }

void name_span_thread(const char* name) { thread_name = name; }
const char* span_thread() { return thread_name; }

}  // namespace edt
