#include "model/sampling/sample_over_ranks.h"

#include <algorithm>

namespace edt {

void sample_over_ranks(PictureSampler& sampler, const PictureRequest& request, Communicator& ranks,
                       const LatentSink& sink, const StepDone& step_done) {
  const auto pictures = static_cast<std::int64_t>(request.labels.size());
  std::vector<float> latents;
  const auto end_of = [&](std::int64_t first) { return std::min(pictures, first + request.batch); };
  const auto view_of_batch = [&](std::int64_t first) {
    latents.resize(static_cast<std::size_t>(end_of(first) - first) * sampler.picture_elements());
    return view_of(std::span(latents), {static_cast<std::int64_t>(latents.size())});
  };

  for (std::int64_t round = 0; round < pictures; round += ranks.size() * request.batch) {
    const std::int64_t mine = round + ranks.rank() * request.batch;
    if (mine < pictures) {
      const Tensor batch = view_of_batch(mine);
      sampler.run(request, mine, end_of(mine), latents, [&](std::int64_t, int, int) {
        if (step_done) step_done();
      });
      if (!ranks.is_root()) ranks.send(batch, 0, "sampled latents");
    }
    if (!ranks.is_root()) continue;
    sink(latents);
    for (int rank = 1; rank < ranks.size(); ++rank) {
      const std::int64_t first = round + rank * request.batch;
      if (first >= pictures) break;
      ranks.receive(view_of_batch(first), rank, "sampled latents");
      sink(latents);
    }
  }
}

}  // namespace edt
