#include "model/sampling/picture_sampler.h"

#include <algorithm>

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

PictureSampler::PictureSampler(Model& model, Backend& backend, DType dtype, Model* guide)
    : model_(model), backend_(backend), network_(model, backend, dtype) {
  if (guide == nullptr) return;
  EDT_ASSERT(guide->latents() == model.latents() && guide->classes() == model.classes());
  EDT_ASSERT(guide->process().config() == model.process().config());
  guide_.emplace(*guide, backend, dtype);
}

std::size_t PictureSampler::picture_elements() const {
  return static_cast<std::size_t>(model_.latents().elements());
}

void PictureSampler::check(const PictureRequest& request, const Solver& solver) const {
  const std::size_t pictures = request.labels.size();
  require<UsageError>(pictures > 0 && request.batch > 0, "sample",
                      "{} pictures in batches of {} are asked for", pictures, request.batch);
  for (std::int32_t label : request.labels) {
    require<UsageError>(0 <= label && label <= model_.classes(), "sample",
                        "class {} is asked for, {} has classes 0 to {}", label, model_.name(),
                        model_.classes() - 1);
  }
  const std::size_t values = pictures * picture_elements();
  check_noise("the initial noise", request.init_noise.size(), values);
  check_noise("the step noise", request.step_noise.size(),
              values * static_cast<std::size_t>(solver.steps()));
  require<UsageError>(request.step_noise.empty() || solver.is_noisy(), "sample",
                      "step noise is given, and the sampler adds none");
}

void PictureSampler::prepare_cache(const CacheConfig& config, std::optional<BranchCache>& cache) {
  config.validate();
  if (!config.is_on()) {
    cache.reset();
  } else if (!cache || cache->config() != config) {
    cache.emplace(config, backend_);
  }
}

void PictureSampler::run(const PictureRequest& request, std::int64_t first, std::int64_t last,
                         std::span<float> latents, const PictureProgress& progress) {
  const auto solver = make_solver(model_.process(), request.solver);
  check(request, *solver);
  prepare_cache(request.cache, cache_);
  if (guide_) prepare_cache(request.cache, guide_cache_);
  EDT_ASSERT(latents.size() == static_cast<std::size_t>(last - first) * picture_elements());
  batch_.resize(static_cast<std::size_t>(request.batch) * picture_elements());
  for (std::int64_t at = first; at < last; at += request.batch) {
    run_batch(request, *solver, at, [&](int done, int steps) {
      if (progress) progress(at - first, done, steps);
    });
    const std::int64_t count = std::min(request.batch, last - at);
    std::copy_n(batch_.begin(), static_cast<std::size_t>(count) * picture_elements(),
                latents.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(at - first) *
                                                              picture_elements()));
  }
}

void PictureSampler::load_noise(const PictureRequest& request, std::int64_t first,
                                const Tensor& x) const {
  if (request.init_noise.empty()) {
    fill_initial_noise(request.seed, static_cast<std::uint32_t>(first), x);
    return;
  }
  const std::size_t begin = static_cast<std::size_t>(first) * picture_elements();
  const auto given = std::span(request.init_noise).subspan(begin);
  std::ranges::fill(x.span<float>(), 0.f);
  std::ranges::copy(given.first(std::min(given.size(), batch_.size())), x.as<float>());
}

void PictureSampler::run_batch(const PictureRequest& request, const Solver& solver,
                               std::int64_t first, const SamplingProgress& progress) {
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const LatentShape& latents = model_.latents();
  const Tensor x =
      view_of(std::span(batch_), {request.batch, latents.channels, latents.height, latents.width});
  load_noise(request, first, x);
  const Shape all_noise{solver.steps(), total, latents.channels, latents.height, latents.width};
  const StepNoise noise =
      request.step_noise.empty()
          ? keyed_step_noise(request.seed, static_cast<std::uint32_t>(first))
          : given_step_noise(view(std::span(request.step_noise), all_noise), first);

  const auto batch = static_cast<std::size_t>(request.batch);
  const auto rest = std::span(request.labels).subspan(static_cast<std::size_t>(first));
  const auto classes = rest.first(std::min(rest.size(), batch));
  std::vector<std::int32_t> labels(classes.begin(), classes.end());
  labels.resize(batch, labels.back());
  const GuidanceConfig& guidance = request.guidance;
  const bool guided = guidance.scale != 1, by_itself = guided && !guide_;
  if (by_itself) labels.resize(2 * batch, static_cast<std::int32_t>(model_.classes()));
  rows_asked_ = 0;
  for (auto* cache : {&cache_, &guide_cache_}) {
    if (*cache) (*cache)->begin(solver.steps());
  }
  if (request.ffn_reuse != nullptr) request.ffn_reuse->begin(solver.steps());
  Denoiser network = denoiser(network_, cache_, request.ffn_reuse, labels);
  if (by_itself) {
    network = GuidedDenoiser(std::move(network), guidance);
  } else if (guided) {
    // A step in which the guide is not asked is one in which its cache is not.
    const auto asked = [&, network](const Tensor& x_t, const Evaluation& at, const Tensor& out) {
      network(x_t, at, out);
      if (guide_cache_ && !guidance.guides(at.step_t)) guide_cache_->begin_evaluation(at, 0);
    };
    network = AutoguidedDenoiser(asked, denoiser(*guide_, guide_cache_, nullptr, labels), guidance);
  }
  solver.run(network, noise, x, progress);
}

Denoiser PictureSampler::denoiser(ForwardPass& network, std::optional<BranchCache>& cache,
                                  FfnReuse* ffn_reuse, std::span<const std::int32_t> labels) {
  const PassHooks hooks{.reuse = cache ? &*cache : nullptr, .hidden = ffn_reuse};
  return [this, &network, &cache, ffn_reuse, labels, hooks](const Tensor& x_t, const Evaluation& at,
                                                            const Tensor& out) {
    const std::int64_t rows = x_t.shape[0];
    rows_asked_ += rows;
    if (cache) cache->begin_evaluation(at, rows);
    if (ffn_reuse != nullptr) ffn_reuse->begin_evaluation(at, rows);
    told_.assign(labels.size(), at.told);
    network(x_t, told_, labels, out, hooks);
  };
}

}  // namespace edt
