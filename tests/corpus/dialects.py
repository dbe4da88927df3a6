"""Answers as models write them, in many scripts and with all that Markdown's dialects have."""

from __future__ import annotations

TEXTS = {
    "arabic": r"""## مقدمة في البرمجة

لغة **بايثون** هي لغة برمجة *سهلة*؛ وتُستخدم في:

1. تحليل البيانات (مثل `pandas`)
2. تعلّم الآلة — انظر [الموقع الرسمي](https://www.python.org/)
3. تطوير الويب

> ملاحظة: الإصدار 3.12 أسرع بنسبة 5%.

```python
print("مرحبا")  # تعليق
```

| المصطلح | المعنى |
|---|---|
| متغيّر | variable |
| دالة | function |

المعادلة هي $E = mc^2$، والسعر 5$ فقط.
""",
    "hebrew": r"""שלום! הנה **שלושת השלבים** להתקנה:

- פתחו את הטרמינל והריצו `pip install numpy`.
- בדקו שהגרסה היא `>=1.26`:
  - ב-Windows: `py -m pip list`
  - ב-Linux: `pip list | grep numpy`
- זהו! (אפשר גם עם **"conda"**, כמובן.)

הנוסחה \(a^2 + b^2 = c^2\) היא **משפט פיתגורס**.
""",
    "mixed rtl": r"""The Arabic word **كتاب** (kitāb) means *book*. The Hebrew **ספר** (sefer) too.

كلمة "book" تعني كتاب.

English again with `code`.
""",
    "cjk": r"""这是**“重点”**内容，**注意：**请先安装`Python`。然后运行**pip install**命令。

**步骤1：**打开终端。**步骤2：**输入命令。

他说：“**你好。**”然后离开了。

日本語では**「重要」**な点は**3つ（三つ）**あります。**まず、**インストールします。

한국어에서는 **"중요"**한 점이 있습니다. **파이썬(Python)**은 언어입니다.

参见https://example.com/path查看详情。
""",
    "nested": r"""1. **Install the package**

   ```bash
   pip install foo
   ```

   - On Windows:

     ```powershell
     py -m pip install foo
     ```

   - On macOS:
     1. Open Terminal
     2. Run:

        ```bash
        brew install foo
        ```

        Then check:

        | Tool | Version |
        |------|---------|
        | foo  | 1.0     |

2. **Configure**
   * first
     * second
       * third
         * fourth
           ```json
           {"a": 1}
           ```
3. Done.
""",
    "pipes": r"""| Operator | Meaning | Example |
|:--|:-:|--:|
| `a \| b` | bitwise or | `x = a \| b` |
| `||` | logical or | `a || b` |
| `cmd1 | cmd2` | pipe | `ls | wc` |
| $|x|$ | absolute | $|-1| = 1$ |
| text \| text | escaped | ok |

Next paragraph.
""",
    "footnotes": r"""The claim is well known[^1], and disputed[^note].

Another one[^2].

[^1]: Smith, J. (2020). *Title*. Publisher.
[^note]: See also `foo`, and
    a second line.

    A second paragraph.
[^2]: https://example.com/a_b_c

After.
""",
    "tasks": r"""### TODO

- [x] Write **tests**
- [ ] Fix `bug` #12
  - [ ] sub task
  - [X] done sub task
* [ ] star

1. [ ] numbered
2. [x] numbered done

[ ] not a list
""",
    "details": r"""Here's the solution:

<details>
<summary>Click to expand</summary>

```python
print(1)
```

Some **bold** text.

</details>

<details open><summary><b>Two</b></summary>Inline body</details>

After it.
""",
    "mermaid": r"""The flow:

```mermaid
graph TD;
    A[Start] --> B{Is it?};
    B -->|Yes| C[OK];
    B -->|No| D[End];
```

And:

~~~mermaid
sequenceDiagram
    Alice->>John: Hello John, how are you?
~~~

Done.
""",
    "currency": r"""It costs $5 to $10 per month; the total is $1,200.50 (about €1,100). With $n = 10$ users at $5 each, $C = 5n = 50$ dollars.

- Revenue: $3M–$5M
- **Price**: $99/mo
- Growth: $r = \frac{P_1 - P_0}{P_0}$, e.g. from $100 to $120 is 20%.
- A $20 bill and a $50 bill; US$30, A$40, $15k.

If you invest $1,000 at $5\%$ for $t$ years: $A = 1000(1.05)^t$.

You'd pay $40 (instead of $50). That's $10 off!

The formula is $$A = P(1+r)^t$$ and you get $1,276.28.
""",
    "links": r"""See [Python (language)](https://en.wikipedia.org/wiki/Python_(programming_language)) and [Foo](https://example.com/a_(b)_(c)).

Bare: https://en.wikipedia.org/wiki/Set_(mathematics), or (see https://example.com/x). Also <https://example.com/y>.

[Title](https://example.com "A (good) title") and [ref][1], [ref two].

![alt (x)](https://example.com/i_(1).png)

[1]: https://example.com/one_(1)
[ref two]: <https://example.com/two> 'Two'
""",
    "math blocks": r"""The quadratic formula:

\[
x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}
\]

1. Step one: $$
   \int_0^1 x^2\,dx = \frac13
   $$
2. Step two:
   \[ \sum_{i=1}^n i = \frac{n(n+1)}{2} \]
   where \(n \ge 1\).

$$
\begin{aligned}
a &= b + c \\
  &= d
\end{aligned}
$$

\begin{equation}
E = mc^2
\end{equation}

```math
a^2 + b^2
```
""",
    "html inline": r"""Press <kbd>Ctrl</kbd>+<kbd>C</kbd>. H<sub>2</sub>O and x<sup>2</sup>.<br>New line.<br/>And <br />.

<p align="center"><img src="x.png"></p>

Use `<div>` and &lt;span&gt; &amp; &nbsp; &copy; 2024 &mdash; ok. <u>under</u> <mark>mark</mark> <!-- comment --> a < b > c, List<String>.
""",
    "hr and headings": r"""Title
=====

Sub
---

Text
***
# A #
## B
####### seven

---

**Bold heading**

* * *

Setext **bold**
---
""",
    "quotes": r"""> **Note**
> This is *important*:
> - a
> - b
>
> > nested
> ```py
> x = 1
> ```

> [!WARNING]
> Be careful.

> lazy
continuation
""",
    "deflist": r"""**Term 1**
: Definition of it.

Term 2
:   Another, with `code`

    and a paragraph.

~~gone~~ ~one~ ==marked== ^sup^ ++ins++
""",
    "chat": r"""Sure! Here’s a plan 👇

✅ **Do**: use `async`/`await`
❌ **Don't**: block

| 🔑 Key | ✅ | ❌ |
|---|---|---|
| a | 1 | 2 |

👨‍👩‍👧‍👦 family, 🇩🇪 flag, 1️⃣ keycap.

**1\. Escaped number**
**2. Bold with trailing space **

***bold italic*** and **bold*italic*bold**, __init__.py, snake_case_name, 2*3*4, a * b * c.
""",
    "code langs": r"""```python title="app.py" {1,3}
def f(): pass
```

```
no lang
```

````markdown
```python
x
```
````

```diff
- a
+ b
```

```html
<script>alert(1)</script>
```

   ```js
   indented()
   ```

Inline ``a ` b`` and `` ` `` and `unclosed.
""",
    "unclosed fence": r"""Here it is:

```python
def f(x):
    return x**2  # $x^2$

| a | b |
""",
    "loose table": r"""Name | Age
--- | ---
Ann | 3
Bob | 4

| a |
|---|

|no|outer|end
|---|---|---
|1|2|3

Table: caption
| **x** | *y* |
|------|
| one | two |
""",
    "steps code no indent": r"""1. First:
```bash
ls
```
2. Second:
```bash
pwd
```
3. Third

   para

4) other
""",
    "bold list": r"""**Pros:**
- fast
- cheap

**Cons:**
* slow
+ plus
1. one
3. three

- a

- b
    - c

      para
- d


Text right after
- item
more
""",
    "russian": r"""Стоимость — **$100** (≈ 9 000 ₽). «**Кавычки**» и **«кавычки»**, **слово**-часть.

1. Пункт **первый**;
2. Пункт *второй*.
""",
    "persian": r"""سلام! برای نصب از دستور زیر استفاده کنید:

```bash
pip install requests
```

۱. مرحلهٔ اول
۲. مرحلهٔ دوم

- [x] انجام شد
- [ ] باقی‌مانده

> **نکته:** نیم‌فاصله‌ها حفظ می‌شوند.
""",
    "latex doc": r"""Let $f: \mathbb{R} \to \mathbb{R}$ be s.t. $\forall \epsilon > 0, \exists \delta > 0$. Then $\lim_{x\to 0} f(x) = 0$.

**Theorem.** If $a_n \to a$ and $b_n \to b$ then $a_n b_n \to ab$. *Proof.* $|a_nb_n - ab| \le |a_n||b_n-b| + |b||a_n-a|$. $\square$

$P(A|B) = \frac{P(B|A)P(A)}{P(B)}$, $\{1,2,3\}$, $x_1, x_2, \ldots, x_n$, `$HOME` and $5.

| $n$ | $n^2$ |
|---|---|
| $1$ | $1$ |

$$\text{Cost} = \$5 \times n$$
""",
    "urls": r"""Visit www.example.com or http://localhost:8888/lab?token=abc&x=1#frag. Mail me@example.com or <me@example.com>. ftp://x.y

`https://in.code` **https://bold.example.com** "https://q.example.com" https://e.com/a*b*c

[javascript](javascript:alert(1)) [rel](/docs) [frag](#a) [data](data:text/html,x) [empty]()
""",
    "thai hindi": r"""**ภาษาไทย**เป็นภาษา*ที่สวยงาม*

**हिन्दी** में *लिखा* हुआ। **"उद्धरण"**।

| विषय | अंक |
|---|---:|
| गणित | ९५ |
""",
    "yaml front": r"""---
title: Foo
---

# Hi

```yaml
a: &x 1
b: *x
```

Key: value
Other: value\
Third: value\
Fourth
""",
    "json answer": r"""```json
{
  "a": [1, 2, {"b": "c\n"}]
}
```
The `a` key → list. Result: {"x": 1} and [1, 2][0] and [x] and [^1] undefined, [link].
""",
    "reasoning": r"""<think>
Let me see **this**.
</think>

The answer is 42.

<tool_call>{"name": "x"}</tool_call>

<answer>42</answer>
""",
    "citations": r"""Water boils at 100 °C [1], at sea level [2, 3][4]. 【5†source】

Sources:
[1] https://example.com/a
[2]: https://example.com/b
[3] Title. https://example.com/c
""",
    "figure": r"""```
┌─────┐
│ box │───►
└─────┘
```

    indented code
    more

	Tab code

1. a

       code in list
""",
    "dollar env": r"""Set `PATH=$HOME/bin:$PATH`. In bash: $VAR, ${VAR}, $(cmd), $1 and $2. jQuery: $('#a').on($b). Tickers $AAPL and $TSLA. R: df$col and df$other. Regex ^a$ and b$.

US$5-$10, 5$ to 10$, $5/$10, ($5), "$5", $5. $x$-axis, $x$, $2x$; $k$-means, the $i$th, $O(n \log n)$.
""",
    "items": r"""Liste:
• eins
• zwei
– drei

① 第一步：打开
② 第二步：运行
一、概述
二、方法
（1）甲
(2) 乙

١. الأول
٢. الثاني
Sources:
[1] https://a.example/x
[2] Title
✅ Do this
❌ Not this
1️⃣ One
Normal
wrapped © text
""",
    "pipes2": r"""| `a|b` | c |
|---|---|
| `x || y` | `ls | wc` |
| `e\|f | g` | h |
| a | b | c extra |
| ` | ` | $|x| + |y|$ |
""",
}
