#include "model/plan/validation_run.h"

#include "core/optim/grad_norm.h"
#include "model/plan/recording_backend.h"
#include "model/training/array_batch.h"
#include "model/training/validation_loss.h"
#include "model/weights.h"

namespace edt {

std::size_t dry_run_of_validation(const ModelConfig& config, DType dtype,
                                  const DenoisingLossConfig& loss, std::int64_t batch) {
  Recorder recorder(false);
  recorder.pause();
  const auto made = make_recording_backend(recorder);
  RecordingBackend& backend = *made;
  const auto model = make_model(config, backend, dtype);
  const FlatLayout layout = FlatLayout::of(parameter_pointers(model->parameters()),
                                           static_cast<std::int64_t>(kNormBlock));
  const Block memory(backend.memory(), static_cast<std::size_t>(layout.size()) * sizeof(float));
  const std::span<float> weights(static_cast<float*>(memory.data()),
                                 static_cast<std::size_t>(layout.size()));
  const BoundWeights bound(backend, model->parameters(), layout, weights, dtype);
  const std::size_t before = backend.memory().bytes();

  const auto rows = static_cast<std::size_t>(batch);
  ValidationLoss validation(*model, backend, dtype, loss, batch);
  const std::vector<float> latents(rows * static_cast<std::size_t>(model->latents().elements()));
  const std::vector<std::int32_t> numbers(rows);
  const std::vector<double> times(rows, 0.5);
  ArrayBatch arrays(model->arrays(), batch);
  (void)validation.run(0, {latents, numbers, times, numbers, arrays.values()});
  return backend.memory().bytes() - before;
}

}  // namespace edt
