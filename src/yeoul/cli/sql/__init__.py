"""What `yeoul sql` does: `script` knows where a statement ends, `runner` carries statements out and shows what they
give, `prompt` asks for them at a terminal, `ending` is what signals do.
"""
