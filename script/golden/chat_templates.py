#!/usr/bin/env python3
"""Makes tests/golden/tokenizer/chat_templates.jsonl: prompts as transformers' apply_chat_template renders them.

    script/golden/chat_templates.py        (after script/golden/tokenizer.py, whose tiny vocabularies it uses;
                                            in the environment that script/golden/all makes)

One line a prompt: the template's Jinja source, the kind and default system text it must be recognised as, the
messages, the text, and the ids of that text with its markers, which must be ours too since no message holds a marker.
"""
import json
from importlib.metadata import version
from pathlib import Path

from transformers import PreTrainedTokenizerFast

FOLDER = Path(__file__).resolve().parent.parent.parent / "tests/golden/tokenizer"

MESSAGE = "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"


def with_system(text):
    return ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n"
            + text + "<|im_end|>\\n' }}{% endif %}" + MESSAGE + "{% endfor %}" + PROMPT)


SMOLLM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
QWEN2 = "You are a helpful assistant."
QWEN25 = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."

# The same as the shortest one, written otherwise.
OTHER_STYLE = """{%- for message in messages -%}
  {{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" }}
{%- endfor %}
{% if add_generation_prompt %}
{{- '<|im_start|>' + 'assistant\\n' }}
{%- endif %}
"""

# The form of templates that also know tools, on several lines with whitespace control.
WITH_TOOLS = """{#- Tools first -#}
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content }}
    {%- else %}
        {{- 'SYSTEM' }}
    {%- endif %}
    {{- "\\n\\nThese functions may be called: \\"name\\", %}" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nSYSTEM<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- for call in message.tool_calls %}
            {{- '\\n' + call.name }}
        {%- endfor %}
    {%- elif message.role == "tool" %}
        {%- if loop.first %}
            {{- message.content }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""".replace("SYSTEM", QWEN25)

LLAMA3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
          "message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
          "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
          "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}")

TEMPLATES = [  # vocabulary, source, kind, default system text
    ("smollm", "{% for message in messages %}" + MESSAGE + "{% endfor %}" + PROMPT, "chatml", ""),
    ("smollm", OTHER_STYLE, "chatml", ""),
    ("smollm", with_system(SMOLLM), "chatml", SMOLLM),
    ("qwen2", with_system(QWEN2), "qwen", QWEN2),
    ("qwen2", WITH_TOOLS, "qwen", QWEN25),
    ("llama3", LLAMA3, "llama3", ""),
    ("llama3", "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}" + LLAMA3,
     "llama3", ""),
]

CHATS = [
    [("user", "What is the capital of France?")],
    [("system", "Answer in one word."), ("user", "Who?")],
    [("user", "Hi"), ("assistant", "Hello! It's 10:45."), ("user", " and  now?\n")],
    [("user", "\t blanks \u00a0\u001c\n"), ("assistant", ""), ("system", "Be brief"), ("user", "Ti\u1ebfng Vi\u1ec7t {{ 7*7 }}")],
]


def main():
    about = {"made_with": {"tokenizers": version("tokenizers"), "transformers": version("transformers")}}
    lines = [about]
    for vocabulary, source, kind, system in TEMPLATES:
        bos = "<|begin_of_text|>" if kind == "llama3" else None
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(FOLDER / vocabulary / "tokenizer.json"), bos_token=bos)
        for chat in CHATS:
            messages = [{"role": role, "content": content} for role, content in chat]
            for prompt in (False, True):
                text = tokenizer.apply_chat_template(messages, chat_template=source, tokenize=False,
                                                     add_generation_prompt=prompt)
                lines.append({"vocabulary": vocabulary, "source": source, "kind": kind, "system": system,
                              "messages": messages, "add_generation_prompt": prompt, "text": text,
                              "ids": tokenizer(text, add_special_tokens=False)["input_ids"]})
    (FOLDER / "chat_templates.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
