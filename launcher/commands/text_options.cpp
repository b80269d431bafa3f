#include "launcher/commands/text_options.h"

#include "core/base/error.h"

namespace edt {

void declare_texts(OptionSet& options, data::TextOptions& texts) {
  options.add("text", &texts.text,
              "features of a text for each sample, in the same order: a file of [N, tokens, "
              "channels], [N, channels] or, with text_begin, [tokens, channels], or a folder of "
              "such");
  options.add("text-lengths", &texts.lengths, "file of [N] numbers: the tokens that each text has")
      .default_is("text_lengths or lengths beside the features, else all there is room for");
  options
      .add("null-text", &texts.null_text,
           "file with the features of the empty prompt, [tokens, channels]")
      .default_is("null_text beside the features");
  options
      .add("captions", &texts.captions,
           "the words: a file of lines, a JSON list, or captions of an HDF5 file")
      .default_is("captions beside the features, where these lie in an HDF5 file");
  options.add("text-key", &texts.key, "name within .npz, .safetensors and HDF5")
      .default_is("text, text_features or features");
  options.add("text-encoder", &texts.encoder, "name of what gave the features")
      .default_is("text_encoder of an HDF5 file");
}

void check_texts(const OptionSet& options, const data::TextOptions& texts) {
  for (const char* name : {"text-lengths", "null-text", "captions", "text-key", "text-encoder"}) {
    require<UsageError>(texts.any() || !options.given(name), "text",
                        "--{} has no effect without --text", name);
  }
}

}  // namespace edt
