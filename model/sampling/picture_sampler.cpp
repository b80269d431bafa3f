#include "model/sampling/picture_sampler.h"

#include <algorithm>

#include "model/diffusion/spacing.h"

namespace edt {
namespace {

template <class T>
Tensor view(std::span<const T> values, const Shape& shape) {
  return view_of(std::span<T>(const_cast<T*>(values.data()), values.size()), shape);
}

void check_noise(const char* what, std::size_t given, std::size_t expected) {
  require<UsageError>(given == 0 || given == expected, "sample", "{} has {} values, {} are needed",
                      what, given, expected);
}

}  // namespace

PictureSampler::PictureSampler(Model& model, Backend& backend, DType dtype)
    : model_(model),
      backend_(backend),
      arena_(backend.memory()),
      tape_(backend, arena_, profiler_, dtype) {}

std::size_t PictureSampler::picture_elements() const {
  return static_cast<std::size_t>(model_.channels() * model_.input_size() * model_.input_size());
}

void PictureSampler::run(const PictureRequest& request, std::span<float> latents,
                         const PictureProgress& progress) {
  const std::size_t pictures = request.labels.size();
  require<UsageError>(pictures > 0 && request.batch > 0, "sample",
                      "{} pictures in batches of {} are asked for", pictures, request.batch);
  EDT_ASSERT(latents.size() == pictures * picture_elements());
  for (std::int32_t label : request.labels) {
    require<UsageError>(0 <= label && label <= model_.classes(), "sample",
                        "class {} is asked for, {} has classes 0 to {}", label, model_.name(),
                        model_.classes() - 1);
  }
  const DiffusionSchedule full;
  const Sampler sampler(full.spaced(space_timesteps(full.steps(), request.spacing)),
                        request.sampler);
  check_noise("the initial noise", request.init_noise.size(), latents.size());
  check_noise("the step noise", request.step_noise.size(),
              latents.size() * static_cast<std::size_t>(sampler.steps()));
  const auto total = static_cast<std::int64_t>(pictures);
  for (std::int64_t first = 0; first < total; first += request.batch) {
    run_batch(request, sampler, first, latents, progress);
  }
}

void PictureSampler::run_batch(const PictureRequest& request, const Sampler& sampler,
                               std::int64_t first, std::span<float> latents,
                               const PictureProgress& progress) {
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const auto batch = static_cast<std::size_t>(std::min(request.batch, total));
  // The last batch is moved back so that it is full; pictures made twice are the same.
  first = std::min(first, total - static_cast<std::int64_t>(batch));
  const std::int64_t side = model_.input_size();
  const Shape shape{static_cast<std::int64_t>(batch), model_.channels(), side, side};
  const std::size_t begin = static_cast<std::size_t>(first) * picture_elements();
  const Tensor x = view_of(latents.subspan(begin, batch * picture_elements()), shape);
  const auto key = static_cast<std::uint32_t>(first);

  if (request.init_noise.empty()) {
    fill_initial_noise(request.seed, key, x);
  } else {
    std::copy_n(request.init_noise.begin() + static_cast<std::ptrdiff_t>(begin), x.elements(),
                x.as<float>());
  }
  const Shape all_noise{sampler.steps(), total, model_.channels(), side, side};
  const StepNoise noise =
      request.step_noise.empty()
          ? keyed_step_noise(request.seed, key)
          : given_step_noise(view(std::span(request.step_noise), all_noise), first);

  const auto classes = std::span(request.labels).subspan(static_cast<std::size_t>(first), batch);
  std::vector<std::int32_t> labels(classes.begin(), classes.end());
  const bool guided = request.guidance.scale != 1;
  if (guided) labels.resize(2 * batch, static_cast<std::int32_t>(model_.classes()));
  Denoiser denoiser = [&](const Tensor& x_t, std::span<const float> t, const Tensor& out) {
    predict(x_t, t, labels, out);
  };
  if (guided) denoiser = GuidedDenoiser(std::move(denoiser), request.guidance);
  sampler.run(denoiser, noise, x, [&](int done, int steps) {
    const std::int64_t finished = done == steps ? first + static_cast<std::int64_t>(batch) : first;
    if (progress) progress(finished, done, steps);
  });
}

void PictureSampler::predict(const Tensor& x_t, std::span<const float> t,
                             std::span<const std::int32_t> labels, const Tensor& out) {
  const Tape::NoGrad inference(tape_);
  {
    const Var image = tape_.make(x_t.shape, DType::kFloat32);
    const Var times = tape_.make({x_t.shape[0]}, DType::kFloat32);
    const Var classes = tape_.make({x_t.shape[0]}, DType::kInt32);
    const Var result = tape_.make(out.shape, DType::kFloat32);
    backend_.copy(x_t, image.tensor());
    backend_.copy(view(t, times.shape()), times.tensor());
    backend_.copy(view(labels, classes.shape()), classes.tensor());
    const Var tokens = model_.forward(tape_, {image.tensor(), times.tensor(), classes.tensor()});
    backend_.unpatchify(tokens.tensor(), model_.patch(), result.tensor());
    backend_.copy(result.tensor(), out);
  }
  tape_.clear();
}

}  // namespace edt
