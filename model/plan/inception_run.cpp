#include "model/plan/inception_run.h"

#include "model/evaluation/inception.h"
#include "model/plan/recording_backend.h"

namespace edt {

std::size_t dry_run_of_inception(const std::filesystem::path& weights) {
  Recorder recorder(false);
  recorder.pause();
  const auto backend = make_recording_backend(recorder);
  Inception network(weights, *backend);
  const Image picture(8, 8);
  (void)network.run(std::span(&picture, 1), InceptionResize::kAdm);
  return backend->memory().bytes();
}

}  // namespace edt
