#include "launcher/sample/sequence_output.h"

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"
#include "core/storage/npz_arrays.h"
#include "launcher/sample/sequence_page.h"

namespace edt {
namespace {

void require_place(const std::filesystem::path& path, std::string_view option,
                   std::string_view extensions) {
  if (path.empty()) return;
  if (path.has_parent_path()) {
    require_directory(path.parent_path(), option);
    make_directories(path.parent_path());
  }
  require_writable(path, option, extensions);
}

// [N, channels, frames] as the model sees them, to [N, frames, channels] in the units of the data.
std::vector<float> in_units_of_data(std::span<const float> made, const SequenceContext& context) {
  const auto channels = static_cast<std::size_t>(context.channels);
  const auto frames = static_cast<std::size_t>(context.frames);
  const LatentSpace& space = context.space;
  std::vector<float> values(made.size());
  for (std::size_t at = 0; at < made.size(); ++at) {
    const std::size_t frame = at % frames, c = at / frames % channels,
                      sequence = at / (frames * channels);
    const double scaled = made[at] * space.std[c] + space.mean[c];
    values[(sequence * frames + frame) * channels + c] =
        static_cast<float>(scaled / space.scale + space.shift);
  }
  return values;
}

}  // namespace

void check_outputs(const OutputPaths& paths, const OptionSet& set, const ModelConfig& model) {
  if (!model.latents().is_sequence()) {
    require<UsageError>(paths.page.empty(), "sample",
                        "--page {} is of sequences, and {} makes pictures", paths.page.string(),
                        model.name());
    return;
  }
  for (const char* option : {"out-dir", "npz", "columns", "vae", "keep-mask"}) {
    require<UsageError>(!set.given(option), "sample",
                        "--{} is of pictures, and {} makes sequences of {} frames: --out FILE.npz "
                        "has them as numbers, --page FILE.html as plots",
                        option, model.name(), model.latents().width);
  }
}

SequenceOutput::SequenceOutput(const OutputPaths& paths, SequenceContext context)
    : paths_(paths), context_(std::move(context)) {
  require<UsageError>(!paths_.replace, "sample",
                      "--replace is of no use: it removes pictures from --out-dir");
  require_place(paths_.grid, "--out", ".npz");
  require_place(paths_.latents, "--latents", kLatentsExtensions);
  require_place(paths_.page, "--page", ".html .htm");
  if (paths_.latents.empty()) return;
  latents_ =
      LatentsFile::create(paths_.latents,
                          {context_.labels.size(), static_cast<std::uint64_t>(context_.channels), 1,
                           static_cast<std::uint64_t>(context_.frames)},
                          context_.labels, context_.notes);
}

void SequenceOutput::add(std::span<const float> latents) {
  const auto each = static_cast<std::size_t>(context_.channels * context_.frames);
  for (std::size_t at = 0; at < latents.size(); at += each) {
    const std::size_t number = (made_.size() + at) / each;
    require<NumericError>(all_finite(latents.subspan(at, each)), "sample",
                          "sequence {} (class {}) is not finite", number, context_.labels[number]);
  }
  if (latents_) latents_->append(latents);
  made_.insert(made_.end(), latents.begin(), latents.end());
}

void SequenceOutput::finish() {
  const auto frames = static_cast<std::uint64_t>(context_.frames);
  const std::uint64_t count = context_.labels.size();
  if (!paths_.grid.empty()) {
    const std::vector<float> values = in_units_of_data(made_, context_);
    std::vector<NpzArray> arrays{
        {"samples",
         {count, frames, static_cast<std::uint64_t>(context_.channels)},
         std::span<const float>(values)},
        {"labels", {count}, std::span<const std::int32_t>(context_.labels)}};
    if (!context_.conditions.empty()) {
      arrays.push_back({"frames",
                        {count, frames, context_.conditions.size() / (count * frames)},
                        std::span<const float>(context_.conditions)});
    }
    write_npz(paths_.grid, arrays);
  }
  if (!paths_.page.empty()) write_sequence_page(paths_.page, context_, made_);
  if (latents_) latents_->finish();
}

}  // namespace edt
