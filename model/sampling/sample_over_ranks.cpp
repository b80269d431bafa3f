#include "model/sampling/sample_over_ranks.h"

#include <algorithm>

namespace edt {

void sample_over_ranks(PictureSampler& sampler, const PictureRequest& request, Communicator& ranks,
                       const LatentSink& sink, const StepDone& step_done,
                       const BatchFinish& finish) {
  const auto pictures = static_cast<std::int64_t>(request.labels.size());
  std::vector<float> values;  // of a batch
  const auto latents = static_cast<std::size_t>(sampler.shape_of(request).elements());
  std::size_t each = latents;  // of a picture
  const auto count_of = [&](std::int64_t first) {
    return static_cast<std::size_t>(std::min(pictures - first, request.batch));
  };
  const auto all_values = [&] {
    return view_of(std::span(values), {static_cast<std::int64_t>(values.size())});
  };

  for (std::int64_t round = 0; round < pictures; round += ranks.size() * request.batch) {
    const std::int64_t mine = round + ranks.rank() * request.batch;
    if (mine < pictures) {
      const std::size_t count = count_of(mine);
      values.resize(count * latents);
      sampler.run(request, mine, mine + static_cast<std::int64_t>(count), values,
                  [&](std::int64_t, int, int) {
                    if (step_done) step_done();
                  });
      if (finish) values = finish(std::move(values));
      each = values.size() / count;
      if (!ranks.is_root()) ranks.send(all_values(), 0, "sampled pictures");
    }
    if (!ranks.is_root()) continue;
    sink(values);
    for (int rank = 1; rank < ranks.size(); ++rank) {
      const std::int64_t first = round + rank * request.batch;
      if (first >= pictures) break;
      values.resize(count_of(first) * each);
      ranks.receive(all_values(), rank, "sampled pictures");
      sink(values);
    }
  }
}

}  // namespace edt
