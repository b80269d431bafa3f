#include "model/plan/autoencoder_run.h"

#include "core/base/error.h"
#include "model/plan/recording_backend.h"

namespace edt {
namespace {

template <class Pass>
AutoencoderRun run_dry(const AutoencoderSource& load, const Pass& pass) {
  Recorder recorder(false);
  recorder.pause();
  const auto backend = make_recording_backend(recorder);
  const auto autoencoder = load(*backend);
  pass(*autoencoder);
  return {autoencoder->info(), backend->memory().bytes(), autoencoder->profiler().total_flops()};
}

}  // namespace

AutoencoderRun dry_run_of_encoder(const AutoencoderSource& load, PictureSize size) {
  return run_dry(load, [&](Autoencoder& autoencoder) {
    const AutoencoderInfo& info = autoencoder.info();
    require<DataError>(info.has_encoder, "vae", "{} holds a decoder and no encoder",
                       info.path.string());
    autoencoder.encode(std::vector<float>(static_cast<std::size_t>(3 * size.pixels())), size);
  });
}

AutoencoderRun dry_run_of_decoder(const AutoencoderSource& load, PictureSize latent) {
  return run_dry(load, [&](Autoencoder& autoencoder) {
    const AutoencoderInfo& info = autoencoder.info();
    require<DataError>(info.has_decoder, "vae", "{} holds an encoder alone", info.path.string());
    autoencoder.decode(
        std::vector<float>(static_cast<std::size_t>(info.channels * latent.pixels())), latent);
  });
}

}  // namespace edt
