// When a text contains an answer: SQuAD's normalisation, then equality of whole words.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace solopo::cli {

// SQuAD's normalisation (Rajpurkar et al. 2016, evaluation script): lower case, punctuation removed, the
// words "a", "an", "the" removed, runs of white space to one blank.
//
// Beyond ASCII it knows: lower case of the Latin (Latin-1, Extended-A, Extended Additional), Greek and
// Cyrillic letters; U+2010..U+2027, U+2030..U+205E and the guillemets as punctuation; the White_Space
// characters as blanks. It does not compose or decompose accents, and leaves every other script as it is.
std::string normalise_answer(std::string_view utf8);

// `needle` stands in `haystack` as whole words; both normalised already. An empty needle is never found.
bool contains_words(std::string_view haystack, std::string_view needle);

// Substring exact match ("sub-EM"): one of the answers stands, as whole words, in the text; both normalised.
bool contains_answer(std::string_view text, std::span<const std::string> answers);

// One of the answers is just "yes" or "no": a text that contains such a word says nothing about being right.
bool is_yes_no(std::span<const std::string> answers);

}  // namespace solopo::cli
