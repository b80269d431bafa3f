#include "launcher/sample/sequence_page.h"

#include <fmt/format.h>
#include <algorithm>

#include "launcher/page/page.h"

namespace edt {
namespace {

constexpr std::int64_t kPlottedChannels = 8;

// `value(channel, frame)`, a line for each of the first channels.
template <class Value>
LineChart chart_of(std::string title, std::string y_label, std::int64_t channels,
                   std::int64_t frames, Value value) {
  LineChart chart{.title = std::move(title), .x_label = "frame", .y_label = std::move(y_label)};
  chart.y_from_zero = false;
  const std::int64_t shown = std::min(channels, kPlottedChannels);
  for (std::int64_t c = 0; c < shown; ++c) {
    LineSeries line{.name = fmt::format("{}", c), .marks = false};
    for (std::int64_t i = 0; i < frames; ++i) {
      line.points.push_back({static_cast<double>(i), {value(c, i)}});
    }
    chart.series.push_back(std::move(line));
  }
  if (shown < channels) chart.caption = fmt::format("The first {} of {} numbers.", shown, channels);
  return chart;
}

class Plots {
 public:
  Plots(Page& page, const SequenceContext& context) : page_(page), context_(context) {
    const bool normalized = std::ranges::any_of(context.space.std, [](double s) { return s != 1; });
    unit_ = normalized ? "deviations from the mean" : "as the model sees them";
  }

  void add_sequence(std::string title, std::span<const float> values) {
    page_.chart(chart_of(std::move(title), unit_, context_.channels, context_.frames,
                         [&](std::int64_t c, std::int64_t i) -> double {
                           return values[static_cast<std::size_t>(c * context_.frames + i)];
                         }));
  }

  void add_conditions(std::span<const float> values) {
    const auto numbers = static_cast<std::int64_t>(values.size()) / context_.frames;
    page_.chart(chart_of("What the model was told of each frame", "condition", numbers,
                         context_.frames, [&](std::int64_t c, std::int64_t i) -> double {
                           return values[static_cast<std::size_t>(i * numbers + c)];
                         }));
  }

 private:
  Page& page_;
  const SequenceContext& context_;
  std::string unit_;
};

std::string class_name(const SequenceContext& context, std::size_t i) {
  const auto label = static_cast<std::size_t>(context.labels[i]);
  const auto& names = context.space.class_names;
  return label < names.size() ? names[label] : fmt::format("class {}", label);
}

}  // namespace

void write_sequence_page(const std::filesystem::path& path, const SequenceContext& context,
                         std::span<const float> made) {
  Page page("Sampled sequences");
  page.paragraph(fmt::format("{}, {} frames of {} numbers each.", context.model, context.frames,
                             context.channels));
  page.paragraph(
      context.of_data.empty()
          ? std::string("There is no data set to compare with.")
          : fmt::format("Beside each a sequence of the same class of {}.", context.data));
  Plots plots(page, context);
  const auto each = static_cast<std::size_t>(context.channels * context.frames);
  const std::size_t count = std::min(context.labels.size(), kPlottedSequences);
  const std::size_t told = context.conditions.size() / context.labels.size();
  for (std::size_t i = 0; i < count; ++i) {
    page.heading(fmt::format("{}: {}", i, class_name(context, i)));
    plots.add_sequence("Sampled", made.subspan(i * each, each));
    if (i < context.samples.size()) {
      plots.add_sequence(fmt::format("Sample {} of the data", context.samples[i]),
                         std::span(context.of_data).subspan(i * each, each));
    }
    if (told > 0) plots.add_conditions(std::span(context.conditions).subspan(i * told, told));
  }
  page.write(path);
}

}  // namespace edt
