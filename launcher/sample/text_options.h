// Texts that pictures are to show: of a file, of the data set, or words for the data set's own
// small encoder.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/options/options.h"
#include "data/dataset.h"
#include "data/text_file.h"
#include "launcher/recipe/text_space.h"
#include "launcher/sample/trained_data.h"
#include "model/sampling/text_batch.h"

namespace edt {

class TextOptions {
 public:
  void declare(OptionSet& options);

  // UsageError unless one text is given for a model that reads texts, and none for others; or the
  // file is of another encoder, or has another null text, than the model was trained with.
  void open(const TextSpace& trained, const ModelConfig& model);
  // Pictures that are made where nobody says how many: one for each text of a file.
  std::int64_t pictures() const;
  // The file of texts that is read; empty: none.
  std::filesystem::path input() const;
  // Once the data set is found, whose texts may be asked for. What is opened stays.
  RequestedTexts requested(const TrainedData& data, const ModelConfig& model);
  // What is not known of the texts that requested() took, a line each.
  const std::vector<std::string>& remarks() const { return remarks_; }
  void add_facts(nlohmann::ordered_json& notes) const;

 private:
  bool is_of_set() const;
  void compare(const data::TextDescription& texts, const TrainedData& data);
  RequestedTexts of_set(const TrainedData& data, const ModelConfig& model);

  std::string text_, caption_;
  TextSpace trained_;        // of the model's texts
  std::uint64_t first_ = 0;  // of set:NUMBER
  std::unique_ptr<data::TextFile> file_;
  std::unique_ptr<data::Dataset> dataset_;
  std::vector<std::string> remarks_;
};

}  // namespace edt
