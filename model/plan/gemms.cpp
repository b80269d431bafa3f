#include "model/plan/gemms.h"
#include "model/blank_inputs.h"

#include <algorithm>
#include <cmath>

#include "model/plan/recording_backend.h"
#include "model/plan/recording_communicator.h"
#include "model/sampling/branch_cache.h"

namespace edt {
namespace {

bool is_alike(const MatmulForm& a, const MatmulForm& b) {
  return a.batch == b.batch && a.m == b.m && a.n == b.n && a.k == b.k &&
         a.transposed_a == b.transposed_a && a.transposed_b == b.transposed_b;
}

// A model over memory that is not there, and a forward pass of it.
class DryForward {
 public:
  DryForward(const ModelConfig& config, int tensor_ranks)
      : backend_(make_recording_backend(recorder_)),
        ranks_(recorder_, RankGroup::kTensor, 0, {tensor_ranks, 1}),
        model_(make_model(config, *backend_, DType::kFloat32, {&ranks_})),
        arena_(backend_->memory()),
        tape_(*backend_, arena_, profiler_, DType::kFloat32) {
    for (Parameter& parameter : model_->parameters().all()) {
      parameter.value = tensor(parameter.shape);
    }
    recorder_.clear();
  }

  std::vector<MatmulForm> plain(std::int64_t images) {
    const Tape::NoGrad forward_only(tape_);
    model_->forward(tape_, inputs(images));
    return gemms_of(recorder_.take());
  }

  std::vector<MatmulForm> cached(CacheConfig config) {
    const Tape::NoGrad forward_only(tape_);
    config.interval = 2;
    config.warmup = 1;
    BranchCache cache(config, *backend_);
    cache.begin(3);
    for (const bool computes : {true, false}) {
      cache.begin_evaluation({}, 1);
      recorder_.clear();
      ModelInputs pass = inputs(1);
      pass.hooks.reuse = &cache;
      model_->forward(tape_, pass);
      EDT_ASSERT(computes == (cache.use().whole_steps == cache.use().steps));
    }
    return gemms_of(recorder_.take());
  }

  std::vector<MatmulForm> both(std::int64_t images) {
    const Tape::NoGrad forward_only(tape_);
    model_->forward_passes(tape_, inputs(2 * images), masks(images));
    return gemms_of(recorder_.take());
  }

 private:
  Tensor tensor(const Shape& shape, DType dtype = DType::kFloat32) {
    Tensor made{nullptr, shape, dtype};
    made.data = memory_.emplace_back(backend_->memory(), made.bytes()).data();
    return made;
  }

  ModelInputs inputs(std::int64_t rows) {
    const LatentShape& latents = model_->latents();
    ModelInputs made{tensor({rows, latents.channels, latents.height, latents.width}),
                     tensor({rows}), tensor({rows}, DType::kInt32)};
    add_blank_conditions(
        *model_, rows, [this](const Shape& shape, DType dtype) { return tensor(shape, dtype); },
        made);
    return made;
  }

  PassMasks masks(std::int64_t images) {
    PassMasks masks;
    for (const MaskSpec& mask : model_->masks()) {
      masks.keep.push_back(tensor({2 * images, mask.tokens}));
    }
    if (const auto& spec = model_->dropping()) {
      masks.visible = {tensor({images, spec->visible((spec->low + spec->high) / 2)}, DType::kInt32),
                       tensor({images, spec->tokens}, DType::kInt32), model_->patches()};
    }
    return masks;
  }

  Recorder recorder_{false};
  std::unique_ptr<RecordingBackend> backend_;
  RecordingCommunicator ranks_;
  std::vector<Block> memory_;
  std::unique_ptr<Model> model_;
  Profiler profiler_;
  Arena arena_;
  Tape tape_;
};

}  // namespace

std::vector<MatmulForm> gemms_of(const Trace& trace) {
  std::vector<MatmulForm> sum;
  for (const TraceEvent& event : trace.events) {
    if (event.type != TraceEvent::Type::kKernel) continue;
    for (const MatmulForm& form : trace.kernels[event.index].gemms) {
      const auto found =
          std::ranges::find_if(sum, [&](const MatmulForm& known) { return is_alike(known, form); });
      if (found == sum.end()) {
        sum.push_back(form);
      } else {
        found->count += form.count;
      }
    }
  }
  return sum;
}

double total_macs(const std::vector<MatmulForm>& gemms) {
  double sum = 0;
  for (const MatmulForm& form : gemms) sum += form.flops() / 2;
  return sum;
}

std::vector<MatmulForm> forward_gemms(const ModelConfig& model, std::int64_t images,
                                      int tensor_ranks) {
  return DryForward(model, tensor_ranks).plain(images);
}

std::vector<MatmulForm> cached_forward_gemms(const ModelConfig& model, const CacheConfig& cache) {
  return DryForward(model, 1).cached(cache);
}

std::vector<MatmulForm> both_forward_gemms(const ModelConfig& model, std::int64_t images,
                                           int tensor_ranks) {
  return DryForward(model, tensor_ranks).both(images);
}

std::vector<MatmulForm> training_gemms(PlannedStep step) {
  step.model.fix_mask_ratio();
  step.engine.batch = step.engine.micro_batch;
  step.engine.recompute = Recompute::kNone;
  step.data_ranks = 1;
  step.engine.zero.shard_ranks = 0;
  return gemms_of(dry_run(step).trace);
}

}  // namespace edt
