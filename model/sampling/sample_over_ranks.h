// Pictures made by several ranks, batch by batch in turn. A batch is the same whoever makes it, so
// pictures do not depend on the number of ranks.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/sampling/picture_sampler.h"
#include "parallel/comm/communicator.h"

namespace edt {

// Called on the first rank for every batch, in order: latents [n, C, S, S] of the next n pictures,
// or what became of them.
using LatentSink = std::function<void(std::span<const float> latents)>;
// What each rank makes of the latents of its own batches before they travel, with as many values
// for each picture.
using BatchFinish = std::function<std::vector<float>(std::vector<float> latents)>;
// Called on every rank after each sampler step of its own batches.
using StepDone = std::function<void()>;

// All ranks call it with the same request, each with the same weights in its model.
void sample_over_ranks(PictureSampler& sampler, const PictureRequest& request, Communicator& ranks,
                       const LatentSink& sink, const StepDone& step_done = {},
                       const BatchFinish& finish = {});

}  // namespace edt
