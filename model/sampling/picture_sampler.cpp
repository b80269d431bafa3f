#include "model/sampling/picture_sampler.h"

#include <algorithm>

namespace edt {
namespace {

template <class T>
Tensor view(std::span<const T> values, const Shape& shape) {
  return view_of(std::span<T>(const_cast<T*>(values.data()), values.size()), shape);
}

constexpr int kPictureBits = 24;  // of the key of noise; the others are the window's

void check_noise(const char* what, std::size_t given, std::size_t expected) {
  require<UsageError>(given == 0 || given == expected, "sample", "{} has {} values, {} are needed",
                      what, given, expected);
}

// Rows first ... of `values`, which has one for each of `all` pictures or one for all of them;
// zeros beyond the last.
template <class T>
std::vector<T> rows_of(const std::vector<T>& values, std::int64_t all, std::int64_t first,
                       std::size_t rows, std::size_t size) {
  std::vector<T> found(rows * size);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::int64_t picture = first + static_cast<std::int64_t>(row);
    if (picture >= all) break;
    const std::size_t from = values.size() == size ? 0 : static_cast<std::size_t>(picture) * size;
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from), size,
                found.begin() + static_cast<std::ptrdiff_t>(row * size));
  }
  return found;
}

}  // namespace

PictureSampler::PictureSampler(Model& model, Backend& backend, DType dtype, Model* guide)
    : model_(model),
      backend_(backend),
      network_(model, backend, dtype),
      narrow_(backend),
      guide_narrow_(backend) {
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
  request.texts.check(model_);
  const std::size_t values = pictures * picture_elements();
  check_noise("the initial noise", request.init_noise.size(), values);
  check_noise("the step noise", request.step_noise.size(),
              values * static_cast<std::size_t>(solver.steps()));
  require<UsageError>(request.step_noise.empty() || solver.is_noisy(), "sample",
                      "step noise is given, and the sampler adds none");
  check_known(request, solver);
  check_frames(request);
}

std::size_t PictureSampler::frame_elements() const {
  return static_cast<std::size_t>(model_.patches().tokens() * model_.frame_channels());
}

void PictureSampler::check_frames(const PictureRequest& request) const {
  const std::size_t needed = request.labels.size() * frame_elements();
  require<UsageError>(request.frames.size() == needed, "sample",
                      "{} reads a condition of {} numbers for each of {} frames: {} are needed for "
                      "{} sequences, {} are given",
                      model_.name(), model_.frame_channels(), model_.patches().tokens(), needed,
                      request.labels.size(), request.frames.size());
  require<UsageError>(needed == 0 || !request.extension.is_on(), "sample",
                      "{} reads conditions of the frames of one window, several are to be made",
                      model_.name());
}

void PictureSampler::check_known(const PictureRequest& request, const Solver& solver) const {
  request.extension.validate(model_.latents());
  const std::size_t pictures = request.labels.size(), each = picture_elements();
  const bool extends = request.extension.is_on();
  const bool gives_noise = !request.init_noise.empty() || !request.step_noise.empty() ||
                           (request.known && !request.known->noise.empty());
  require<UsageError>(!extends || !gives_noise, "sample",
                      "noise is given, and pictures are made of several windows");
  require<UsageError>(!extends || pictures < (std::size_t{1} << kPictureBits), "sample",
                      "{} pictures of several windows are asked for, {} are possible", pictures,
                      (1 << kPictureBits) - 1);
  require<UsageError>(request.resample == 1 || (request.resample > 1 && (extends || request.known)),
                      "sample", "resample is {}, and there is nothing to sample around",
                      request.resample);
  require<UsageError>(request.resample == 1 || !gives_noise, "sample",
                      "resample is {}, and noise is given, which is that of one time",
                      request.resample);
  require<UsageError>(
      request.resample == 1 || !request.cache.is_on(), "sample",
      "resample is {}, and a cache is on, which counts on steps that are taken once",
      request.resample);
  if (!request.known) return;
  require<UsageError>(!extends, "sample",
                      "a region is to be kept, and pictures are made of several windows");
  const KnownRegion& known = *request.known;
  require<UsageError>(known.latents.size() == each || known.latents.size() == pictures * each,
                      "sample", "what is known has {} values, {} or {} are needed",
                      known.latents.size(), each, pictures * each);
  const auto pixels = each / static_cast<std::size_t>(model_.latents().channels);
  require<UsageError>(known.mask.size() == pixels || known.mask.size() == pictures * pixels,
                      "sample", "the mask of what is known has {} values, {} or {} are needed",
                      known.mask.size(), pixels, pictures * pixels);
  check_noise("the noise of what is known", known.noise.size(),
              pictures * each * static_cast<std::size_t>(solver.steps()));
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
  narrow_.forget_blocks();
  guide_narrow_.forget_blocks();
  const auto each = static_cast<std::size_t>(shape_of(request).elements());
  EDT_ASSERT(latents.size() == static_cast<std::size_t>(last - first) * each);
  batch_.resize(static_cast<std::size_t>(request.batch) * picture_elements());
  std::optional<ExtendedPictures> whole;
  for (std::int64_t at = first; at < last; at += request.batch) {
    const auto made = run_pictures(request, *solver, at, whole, [&](int done, int steps) {
      if (progress) progress(at - first, done, steps);
    });
    const std::int64_t count = std::min(request.batch, last - at);
    std::ranges::copy(made.first(static_cast<std::size_t>(count) * each),
                      latents.begin() + (at - first) * static_cast<std::ptrdiff_t>(each));
  }
}

std::span<const float> PictureSampler::run_pictures(const PictureRequest& request,
                                                    const Solver& solver, std::int64_t first,
                                                    std::optional<ExtendedPictures>& whole,
                                                    const SamplingProgress& progress) {
  if (request.extension.is_on()) {
    whole.emplace(request.extension, model_.latents(), request.batch);
    run_windows(request, solver, first, *whole, progress);
    return whole->latents();
  }
  if (request.known) {
    KnownRegion of_batch;
    const KnownBatch known = known_of(request, solver, first, of_batch);
    run_batch(request, solver, {.first = first, .known = &known}, progress);
  } else {
    run_batch(request, solver, {.first = first}, progress);
  }
  return batch_;
}

void PictureSampler::run_windows(const PictureRequest& request, const Solver& solver,
                                 std::int64_t first, ExtendedPictures& whole,
                                 const SamplingProgress& progress) {
  const auto windows = whole.windows();
  const int steps = solver.steps(), all = steps * static_cast<int>(windows.size());
  int before = 0;  // steps of windows that are made
  for (const auto& window : windows) {
    Batch batch{.first = first, .window = window.number()};
    const std::vector<float> latents = whole.known(window);
    const std::vector<std::uint8_t> mask = whole.mask(window);
    const KnownBatch known{latents, mask, keyed_known_noise(request.seed, batch.key())};
    if (before > 0) batch.known = &known;
    run_batch(request, solver, batch, [&](int done, int) {
      if (progress) progress(before + done, all);
    });
    whole.put(window, batch_);
    before += steps;
  }
}

KnownBatch PictureSampler::known_of(const PictureRequest& request, const Solver& solver,
                                    std::int64_t first, KnownRegion& of_batch) const {
  const KnownRegion& known = *request.known;
  const auto all = static_cast<std::int64_t>(request.labels.size());
  const auto batch = static_cast<std::size_t>(request.batch);
  of_batch.latents = rows_of(known.latents, all, first, batch, picture_elements());
  const std::size_t pixels =
      picture_elements() / static_cast<std::size_t>(model_.latents().channels);
  of_batch.mask = rows_of(known.mask, all, first, batch, pixels);
  KnownBatch made{of_batch.latents, of_batch.mask,
                  keyed_known_noise(request.seed, static_cast<std::uint32_t>(first))};
  if (known.noise.empty()) return made;
  const LatentShape& shape = model_.latents();
  const Shape of_all{solver.steps(), all, shape.channels, shape.height, shape.width};
  made.noise = given_step_noise(view(std::span(known.noise), of_all), first);
  return made;
}

std::uint32_t PictureSampler::Batch::key() const {
  return static_cast<std::uint32_t>(first) + (window << kPictureBits);
}

void PictureSampler::load_noise(const PictureRequest& request, const Batch& batch,
                                const Tensor& x) const {
  if (request.init_noise.empty()) {
    fill_initial_noise(request.seed, batch.key(), x);
    return;
  }
  const std::size_t begin = static_cast<std::size_t>(batch.first) * picture_elements();
  const auto given = std::span(request.init_noise).subspan(begin);
  std::ranges::fill(x.span<float>(), 0.f);
  std::ranges::copy(given.first(std::min(given.size(), batch_.size())), x.as<float>());
}

void PictureSampler::run_batch(const PictureRequest& request, const Solver& solver,
                               const Batch& made, const SamplingProgress& progress) {
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const LatentShape& latents = model_.latents();
  const Tensor x =
      view_of(std::span(batch_), {request.batch, latents.channels, latents.height, latents.width});
  load_noise(request, made, x);
  const Shape all_noise{solver.steps(), total, latents.channels, latents.height, latents.width};
  const StepNoise noise =
      request.step_noise.empty()
          ? keyed_step_noise(request.seed, made.key())
          : given_step_noise(view(std::span(request.step_noise), all_noise), made.first);

  const auto batch = static_cast<std::size_t>(request.batch);
  const auto rest = std::span(request.labels).subspan(static_cast<std::size_t>(made.first));
  const auto classes = rest.first(std::min(rest.size(), batch));
  std::vector<std::int32_t> labels(classes.begin(), classes.end());
  labels.resize(batch, labels.back());
  GuidanceConfig guidance = request.guidance;
  if (latents.is_sequence()) guidance.channels = guidance.channels.of_sequences();
  const bool guided = guidance.scale != 1, by_itself = guided && !guide_;
  if (by_itself) labels.resize(2 * batch, static_cast<std::int32_t>(model_.classes()));
  const TextBatch texts(
      request.texts, model_,
      {made.first, std::min(total, made.first + request.batch), request.batch, by_itself});
  const Told told{labels, texts};
  frames_ = rows_of(request.frames, total, made.first, batch, frame_elements());
  if (by_itself) {
    const std::vector<float> again = frames_;
    frames_.insert(frames_.end(), again.begin(), again.end());
  }
  rows_asked_ = 0;
  for (auto* cache : {&cache_, &guide_cache_}) {
    if (*cache) (*cache)->begin(solver.steps());
  }
  if (request.ffn_reuse != nullptr) request.ffn_reuse->begin(solver.steps());
  Denoiser network =
      denoiser(network_, cache_,
               {.hidden = request.ffn_reuse, .narrow = request.narrow ? &narrow_ : nullptr}, told);
  if (by_itself) {
    network = GuidedDenoiser(std::move(network), guidance);
  } else if (guided) {
    // A step in which the guide is not asked is one in which its cache is not.
    const auto asked = [&, network](const Tensor& x_t, const Evaluation& at, const Tensor& out) {
      network(x_t, at, out);
      if (guide_cache_ && !guidance.guides(at.step_t)) guide_cache_->begin_evaluation(at, 0);
    };
    network =
        AutoguidedDenoiser(asked,
                           denoiser(*guide_, guide_cache_,
                                    {.narrow = request.narrow ? &guide_narrow_ : nullptr}, told),
                           guidance);
  }
  if (made.known == nullptr) return solver.run(network, noise, x, progress);
  run_around(solver, model_.process(), network, noise, *made.known,
             {request.resample, keyed_back_noise(request.seed, made.key())}, x, progress);
}

Denoiser PictureSampler::denoiser(ForwardPass& network, std::optional<BranchCache>& cache,
                                  PassHooks hooks, const Told& told) {
  hooks.reuse = cache ? &*cache : nullptr;
  auto* const ffn_reuse = static_cast<FfnReuse*>(hooks.hidden);
  return [this, &network, &cache, ffn_reuse, told, hooks](const Tensor& x_t, const Evaluation& at,
                                                          const Tensor& out) {
    const std::int64_t rows = x_t.shape[0];
    rows_asked_ += rows;
    if (cache) cache->begin_evaluation(at, rows);
    if (ffn_reuse != nullptr) ffn_reuse->begin_evaluation(at, rows);
    times_.assign(told.labels.size(), at.told);
    network(x_t, times_, told.labels, out, hooks, {told.texts.rows(rows), frames_});
  };
}

}  // namespace edt
