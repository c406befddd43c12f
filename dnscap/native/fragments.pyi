from typing import final

@final
class Fragments:
<<<<<<< HEAD
    def __init__(self) -> None: ...
=======
    def __new__(cls) -> Fragments: ...
>>>>>>> main
    def counts(self) -> dict[str, int]: ...
