// A data set of synthetic sequences.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "data/channel_moments.h"
#include "data/sequence_arrays.h"
#include "data/synth.h"
#include "data/synth_curve.h"
#include "data/synth_sequence.h"

namespace edt::data {

namespace {

constexpr std::uint64_t kDrawnAtOnce = 256, kMeasured = 1024;  // sequences

int channels_of(SynthSequences kind) {
  return kind == SynthSequences::kCurves ? kSynthCurveChannels : kSynthSequenceChannels;
}

// Some consecutive sequences, drawn on all cores.
struct Sequences {
  explicit Sequences(const SynthOptions& options)
      : options_(options), frames_(static_cast<std::size_t>(options.length)) {}

  void draw(std::uint64_t first, std::uint64_t count) {
    const std::size_t each = static_cast<std::size_t>(channels_of(options_.sequences)) * frames_,
                      beside = kSynthFrameChannels * frames_;
    labels.resize(count);
    values.resize(count * each);
    conditions.resize(count * beside);
#pragma omp parallel for schedule(dynamic, 16)
    for (std::uint64_t i = 0; i < count; ++i) {
      labels[i] =
          static_cast<std::int32_t>((first + i) % static_cast<std::uint64_t>(options_.classes));
      const auto draw =
          options_.sequences == SynthSequences::kCurves ? draw_synth_curve : draw_synth_sequence;
      draw(labels[i], options_.seed, static_cast<std::uint32_t>(first + i),
           std::span(values).subspan(i * each, each),
           std::span(conditions).subspan(i * beside, beside));
    }
  }

  std::vector<float> values, conditions;
  std::vector<std::int32_t> labels;

 private:
  const SynthOptions& options_;
  std::size_t frames_;
};

// Mean and deviation are those of the first sequences.
Description describe_sequences(const SynthOptions& options) {
  Description d = sequence_description(channels_of(options.sequences), options.length);
  d.classes = options.classes;
  d.type = h5::Type::kFloat32;
  d.arrays = {frame_array(options.length, kSynthFrameChannels, d.type)};
  const auto& names = names_of(options.sequences);
  d.class_names.assign(names.begin(), names.begin() + options.classes);
  d.source = fmt::format("synthetic sequences, seed {}", options.seed);
  Sequences first(options);
  first.draw(0, std::min(options.samples, kMeasured));
  ChannelMoments moments(static_cast<std::size_t>(d.channels));
  const std::size_t each = d.latent_elements();
  for (std::size_t at = 0; at < first.values.size(); at += each) {
    moments.add(std::span<const float>(first.values).subspan(at, each));
  }
  moments.store(d);
  return d;
}

}  // namespace

const std::vector<std::string>& names_of(SynthSequences kind) {
  return kind == SynthSequences::kCurves ? synth_curve_names() : synth_sequence_names();
}

WriteReport synthesize_sequences(const SynthOptions& options, const Progress& progress) {
  const int most = static_cast<int>(names_of(options.sequences).size());
  require<UsageError>(options.classes >= 1 && options.classes <= most, "synth",
                      "{} classes of sequences asked for, 1 to {} can be drawn", options.classes,
                      most);
  const Description description = describe_sequences(options);
  Provenance provenance;
  provenance.add("made by", "data synth of sequences, format 1");
  if (options.sequences == SynthSequences::kCurves) provenance.add("--sequences", "curves");
  provenance.add("--length", fmt::to_string(options.length));
  provenance.add("--classes", fmt::to_string(options.classes));
  provenance.add("--seed", fmt::to_string(options.seed));
  DatasetWriter writer(options.out, description, options.samples,
                       {.samples_per_shard = options.samples_per_shard,
                        .provenance = provenance,
                        .replace = options.replace});
  Sequences some(options);
  std::vector<StoredSamples> arrays(1);
  while (writer.next_sample() < options.samples) {
    some.draw(writer.next_sample(), std::min(writer.room(), kDrawnAtOnce));
    arrays[0].clear();
    append_stored(description.arrays[0], some.conditions, arrays[0].plain);
    writer.append(some.values, {}, some.labels, arrays);
    if (progress) progress(writer.next_sample(), options.samples);
  }
  return writer.finish();
}

}  // namespace edt::data
