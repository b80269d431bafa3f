#include "launcher/plan/data_reading.h"

#include <nlohmann/json.hpp>

#include "launcher/recipe/model_data.h"
#include "launcher/text/report.h"

namespace edt {

DataReading reading_of(const TrainConfig& config, const ModelConfig& model,
                       const Prediction& best) {
  DataReading reading{.samples_per_second = best.images_per_second()};
  if (std::filesystem::exists(config.data.path)) {
    const data::Dataset dataset(config.data.path,
                                {.verify_blocks = false, .arrays = array_requests(config, model)});
    reading.source = config.data.path.string();
    reading.sample_bytes = static_cast<double>(dataset.read_bytes());
    reading.all_bytes = static_cast<double>(dataset.size()) *
                        static_cast<double>(dataset.description().sample_bytes());
    return reading;
  }
  constexpr double kFloat16 = 2;
  const LatentShape& latents = model.latents();
  double values = static_cast<double>(latents.channels * latents.height * latents.width);
  for (const data::ArrayRequest& request : array_requests(config, model)) {
    double elements = 1;
    for (const std::uint64_t extent : request.shape) elements *= static_cast<double>(extent);
    values += elements;
  }
  reading.source = "as float16";
  reading.sample_bytes = kFloat16 * values;
  return reading;
}

std::string reading_text(const DataReading& reading) {
  std::string text =
      fmt::format("data: {} of each image ({}): {} images/s read {}/s, in pieces at random places",
                  human_bytes(reading.sample_bytes), reading.source,
                  human_rate(reading.samples_per_second), human_bytes(reading.bytes_per_second()));
  if (reading.all_bytes > 0) {
    text += fmt::format("; from memory once all {} are in the page cache",
                        human_bytes(reading.all_bytes));
  }
  return text;
}

nlohmann::ordered_json to_json(const DataReading& reading) {
  return {{"source", reading.source},
          {"sample_bytes", reading.sample_bytes},
          {"all_bytes", reading.all_bytes},
          {"bytes_per_s", reading.bytes_per_second()}};
}

}  // namespace edt
