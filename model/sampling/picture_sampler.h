// Latents of pictures from a trained model: batches, guidance, and noise that belongs to the
// picture.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/blocks/narrow_blocks.h"
#include "model/diffusion/guidance.h"
#include "model/diffusion/solvers/solver.h"
#include "model/sampling/branch_cache.h"
#include "model/sampling/extension.h"
#include "model/sampling/ffn_reuse.h"
#include "model/sampling/forward_pass.h"
#include "model/sampling/known_region.h"
#include "model/sampling/text_batch.h"

namespace edt {

struct PictureRequest {
  std::vector<std::int32_t> labels;  // one for each picture
  RequestedTexts texts;              // of a model that reads them
  SolverConfig solver;
  GuidanceConfig guidance;  // scale 1: no second prediction is made
  std::uint64_t seed = 0;
  std::int64_t batch = 8;  // pictures made together
  // Of a network that reads frames: their conditions [N, tokens, channels].
  std::vector<float> frames;
  std::vector<float> init_noise;     // [N, C, S, S]; empty: drawn from the seed
  std::vector<float> step_noise;     // [steps, N, C, S, S]; empty: drawn from the seed
  std::optional<KnownRegion> known;  // sampled around
  Extension extension;               // of windows that are sampled around each other
  int resample = 1;                  // times that each step is taken, of what is sampled around
  CacheConfig cache;
  FfnReuse* ffn_reuse = nullptr;  // measured; needs an MLP of gelu
  // Of a network with gates: what they shut is left out, where it would else be computed and then
  // multiplied with 0.
  bool narrow = true;
};

// Called with pictures finished so far, sampler steps done in the present batch, and steps a batch.
using PictureProgress = std::function<void(std::int64_t pictures, int step, int steps)>;

class PictureSampler {
 public:
  // The model's parameters are bound; its tables are in `dtype`. A `guide` of the same process,
  // latents and classes stands for predictions without a class (autoguidance).
  PictureSampler(Model& model, Backend& backend, DType dtype, Model* guide = nullptr);

  // Fills latents [last - first, of shape_of()] of pictures first ... last-1 of the request. A
  // batch that is not full is filled up with pictures that are thrown away, so that every forward
  // pass has the same shape. Throws UsageError for classes or noise that do not fit.
  void run(const PictureRequest& request, std::int64_t first, std::int64_t last,
           std::span<float> latents, const PictureProgress& progress = {});
  // All pictures.
  void run(const PictureRequest& request, std::span<float> latents) {
    run(request, 0, static_cast<std::int64_t>(request.labels.size()), latents);
  }
  // Values of the latents that the model makes of one picture.
  std::size_t picture_elements() const;
  // Of a picture of this request, of all its windows.
  LatentShape shape_of(const PictureRequest& request) const {
    return request.extension.whole(model_.latents());
  }
  // The most memory that activations have had at a time.
  std::size_t peak_bytes() const {
    return network_.peak_bytes() + (guide_ ? guide_->peak_bytes() : 0);
  }
  // Rows that the networks were asked about for the last batch: a guided picture is two.
  std::int64_t rows_asked() const { return rows_asked_; }
  // Of the last request, where it has one; nullptr: it had none, or one that never reuses.
  const BranchCache* cache() const { return cache_ ? &*cache_ : nullptr; }
  // The same of the guide, where there is one.
  const BranchCache* guide_cache() const { return guide_cache_ ? &*guide_cache_ : nullptr; }
  // Of a request that is narrow, share of the products of blocks with gates that were computed, but
  // for those of the guide.
  double gated_share() const { return narrow_.share(); }

 private:
  // Pictures of a request that are made together.
  struct Batch {
    std::int64_t first = 0;
    std::uint32_t window = 0;           // whose noise is another in each
    const KnownBatch* known = nullptr;  // nullptr: nothing

    std::uint32_t key() const;  // of the first picture's noise
  };

  void check(const PictureRequest& request, const Solver& solver) const;
  void check_known(const PictureRequest& request, const Solver& solver) const;
  void check_frames(const PictureRequest& request) const;
  std::size_t frame_elements() const;  // of the conditions of one picture
  void prepare_cache(const CacheConfig& config, std::optional<BranchCache>& cache);
  // What the network is told of the rows of a batch.
  struct Told {
    std::span<const std::int32_t> labels;
    const TextBatch& texts;
  };
  Denoiser denoiser(ForwardPass& network, std::optional<BranchCache>& cache, PassHooks hooks,
                    const Told& told);
  // Pictures first ... of the request, as many as are made together, in batch_ or in `whole`.
  std::span<const float> run_pictures(const PictureRequest& request, const Solver& solver,
                                      std::int64_t first, std::optional<ExtendedPictures>& whole,
                                      const SamplingProgress& progress);
  void run_windows(const PictureRequest& request, const Solver& solver, std::int64_t first,
                   ExtendedPictures& whole, const SamplingProgress& progress);
  // Into batch_.
  void run_batch(const PictureRequest& request, const Solver& solver, const Batch& batch,
                 const SamplingProgress& progress);
  // What the request knows of the pictures first ...; `of_batch` holds it.
  KnownBatch known_of(const PictureRequest& request, const Solver& solver, std::int64_t first,
                      KnownRegion& of_batch) const;
  void load_noise(const PictureRequest& request, const Batch& batch, const Tensor& x) const;

  Model& model_;
  Backend& backend_;
  ForwardPass network_;
  std::optional<ForwardPass> guide_;
  std::vector<float> batch_, times_;
  std::vector<float> frames_;  // of the rows that the network is asked for
  std::int64_t rows_asked_ = 0;
  std::optional<BranchCache> cache_, guide_cache_;
  NarrowBlocks narrow_, guide_narrow_;
};

}  // namespace edt
