#include "launcher/trace/trace_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "core/json/json_text.h"
#include "core/storage/durable_file.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

// Exact to the nanosecond in decimals, so that events nest as they did.
double microseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

Json metadata(const char* what, int rank, std::size_t track, Json arguments) {
  return {
      {"ph", "M"}, {"pid", rank}, {"tid", track}, {"name", what}, {"args", std::move(arguments)}};
}

std::string text_of(const SpanRecord& record, const RecordedSpan& event) {
  const std::string& label = record.texts[event.label];
  return label.empty() ? record.texts[event.name] : record.texts[event.name] + " " + label;
}

Json to_json(const SpanRecord& record, const RecordedSpan& event, int rank,
             const ClockOffset& clock) {
  const std::int64_t zero = clock.origin + std::llround(clock.nanoseconds);
  Json json{{"ph", "X"},
            {"pid", rank},
            {"tid", event.track},
            {"ts", microseconds(event.begin - zero)},
            {"dur", microseconds(event.end - event.begin)},
            {"name", text_of(record, event)}};
  Json arguments = Json::object();
  if (event.shape != 0) arguments["shape"] = record.texts[event.shape];
  if (event.bytes > 0) arguments["bytes"] = std::llround(event.bytes);
  if (event.flops > 0) arguments["flops"] = std::llround(event.flops);
  if (event.group != 0) arguments["communicator"] = record.texts[event.group];
  if (event.sequence > 0) arguments["sequence"] = event.sequence;
  if (!arguments.empty()) json["args"] = std::move(arguments);
  return json;
}

// The text travels as whole words; blanks at its end mean nothing to JSON.
Tensor words_of(std::span<char> text) {
  return view_of(std::span(reinterpret_cast<std::int32_t*>(text.data()), text.size() / 4),
                 {static_cast<std::int64_t>(text.size() / 4)});
}

std::string padded(std::string text) {
  text.resize((text.size() + 3) / 4 * 4, ' ');
  return text;
}

}  // namespace

std::string trace_events(const SpanRecord& record, int rank, const std::string& host,
                         const ClockOffset& clock) {
  std::string labels = fmt::format("clock within {:.1f} us", clock.accuracy * 1e-3);
  if (record.dropped > 0) labels += fmt::format(", {} events dropped", record.dropped);
  std::string text = dump_json(
      metadata("process_name", rank, 0, {{"name", fmt::format("rank {} on {}", rank, host)}}));
  const auto add = [&](const Json& json) { text += ",\n" + dump_json(json); };
  add(metadata("process_labels", rank, 0, {{"labels", labels}}));
  add(metadata("process_sort_index", rank, 0, {{"sort_index", rank}}));
  for (std::size_t i = 0; i < record.tracks.size(); ++i) {
    add(metadata("thread_name", rank, i, {{"name", record.tracks[i].name}}));
    add(metadata("thread_sort_index", rank, i, {{"sort_index", record.tracks[i].order}}));
  }
  for (const RecordedSpan& event : record.events) add(to_json(record, event, rank, clock));
  return text;
}

void write_trace(const std::filesystem::path& file, const std::string& events,
                 Communicator& ranks) {
  constexpr std::string_view kTraceLabel = "trace";
  if (!ranks.is_root()) {
    std::string text = padded(events);
    auto size = static_cast<double>(text.size());
    ranks.send(view_of(std::span(&size, 1), {1}), 0, kTraceLabel);
    ranks.send(words_of(text), 0, kTraceLabel);
    return;
  }
  DurableFile out(file);
  out.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + events);
  for (int other = 1; other < ranks.size(); ++other) {
    double size = 0;
    ranks.receive(view_of(std::span(&size, 1), {1}), other, kTraceLabel);
    std::string text(static_cast<std::size_t>(size), ' ');
    ranks.receive(words_of(text), other, kTraceLabel);
    out.write(",\n" + text);
  }
  out.write("\n]}\n");
  out.commit();
}

}  // namespace edt
